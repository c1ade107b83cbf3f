{{- define "sekisho.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "sekisho.labels" -}}
app.kubernetes.io/name: sekisho
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sekisho.database" -}}
{{ .Values.database.secret | default (printf "%s-database" .Release.Name) }}
{{- end }}

{{/* What each container of ours may do: nothing but write to its volume. */}}
{{- define "sekisho.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Environment of a server. Given: root, url (the key in the Secret of URLs), node (its values; none: it serves nothing). */}}
{{- define "sekisho.environment" -}}
- name: SEKISHO_DATABASE
  valueFrom: {secretKeyRef: {name: {{ include "sekisho.database" .root }}, key: {{ .url }}}}
{{- if .node }}
{{- if .root.Values.masterKey.secret }}
- name: SEKISHO_MASTER_KEY
  valueFrom: {secretKeyRef: {name: {{ .root.Values.masterKey.secret }}, key: key}}
{{- end }}
- {name: SEKISHO_WORKERS, value: {{ .node.workers | quote }}}
{{- if .root.Values.tls.secret }}
- {name: SEKISHO_TLS_CERT, value: /tls/tls.crt}
- {name: SEKISHO_TLS_KEY, value: /tls/tls.key}
{{- else if .root.Values.insecure }}
- {name: SEKISHO_INSECURE, value: "true"}
{{- else }}
{{- fail "give tls.secret, or insecure=true where the network is trusted" }}
{{- end }}
{{- with .root.Values.otel.endpoint }}
- {name: SEKISHO_OTEL_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- range $name, $value := .node.options }}
- {name: SEKISHO_{{ $name | upper | replace "-" "_" }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{/* Probes and ports of a server; `lean`: it has the lean port. */}}
{{- define "sekisho.serving" -}}
ports:
  - {name: grpc, containerPort: 50051}
  {{- if .lean }}
  - {name: lean, containerPort: 50061}
  {{- end }}
  - {name: http, containerPort: 8080}
startupProbe: {exec: {command: [sekisho, health]}, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 90}
livenessProbe: {httpGet: {path: /healthz, port: http, scheme: {{ include "sekisho.scheme" . }}}, periodSeconds: 10, timeoutSeconds: 5}
readinessProbe: {httpGet: {path: /readyz, port: http, scheme: {{ include "sekisho.scheme" . }}}, periodSeconds: 5, timeoutSeconds: 5}
{{- end }}

{{- define "sekisho.scheme" -}}
{{ if .Values.tls.secret }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}
