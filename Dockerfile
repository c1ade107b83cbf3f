# The server as an image: Python, the pinned packages and the wheel; no compiler, no checkout, no root.
#
#   docker run --read-only --tmpfs /tmp -v sekisho:/var/lib/sekisho -v ./tls:/tls:ro -p 50051:50051 -p 8080:8080 \
#       sekisho serve --tls-cert /tls/cert.pem --tls-key /tls/key.pem
#
# The base is named by digest (`docker buildx imagetools inspect python:3.13-slim-bookworm` says the newest), so that a build is of what was
# looked at; both stages have the same.
#
# The listeners are on all addresses, so `serve` refuses to start without a certificate or an explicit --insecure.

FROM python:3.13-slim-bookworm@sha256:01f42367a0a94ad4bc17111776fd66e3500c1d87c15bbd6055b7371d39c124fb AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=true UV_COMPILE_BYTECODE=1
WORKDIR /src
COPY requirements ./requirements
RUN python -m venv /opt/tools \
    && /opt/tools/bin/python -m pip install --quiet --require-hashes -r requirements/tools.txt
RUN /opt/tools/bin/uv venv --quiet --python "$(command -v python)" /opt/build \
    && /opt/tools/bin/uv pip install --quiet --python /opt/build/bin/python --require-hashes -r requirements/build.txt
RUN /opt/tools/bin/uv venv --quiet --python "$(command -v python)" /opt/sekisho \
    && /opt/tools/bin/uv pip install --quiet --python /opt/sekisho/bin/python --require-hashes -r requirements/analyzer.txt
COPY pyproject.toml hatch_build.py LICENSE README.md ./
COPY docs/examples ./docs/examples
COPY migrations ./migrations
COPY proto ./proto
COPY service ./service
RUN /opt/tools/bin/uv build --quiet --wheel --no-build-isolation --python /opt/build/bin/python --out-dir /dist . \
    && /opt/tools/bin/uv pip install --quiet --python /opt/sekisho/bin/python --no-deps /dist/*.whl
RUN mkdir -p /var/lib/sekisho

FROM python:3.13-slim-bookworm@sha256:01f42367a0a94ad4bc17111776fd66e3500c1d87c15bbd6055b7371d39c124fb
COPY --from=build /opt/sekisho /opt/sekisho
COPY --from=build --chown=10001:10001 /var/lib/sekisho /var/lib/sekisho
ENV PATH=/opt/sekisho/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/var/lib/sekisho \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SEKISHO_DATA_DIR=/var/lib/sekisho \
    SEKISHO_GRPC=0.0.0.0:50051 \
    SEKISHO_HTTP=0.0.0.0:8080
USER 10001:10001
WORKDIR /var/lib/sekisho
VOLUME /var/lib/sekisho
EXPOSE 50051 50061 8080
# Over TLS as well: the server is on this machine and gets no secret; SEKISHO_CA makes the check insist on an authority.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["sekisho", "health"]
ENTRYPOINT ["sekisho"]
CMD ["serve"]
