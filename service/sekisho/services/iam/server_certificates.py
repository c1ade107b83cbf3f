"""Server certificates: what a server shows to its clients, with the private key that nobody gets back.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadServerCertificate.html
"""

from collections.abc import Callable

from google.protobuf.message import Message

from sekisho.api.iam.v1 import server_certificates_pb2 as pb
from sekisho.calls.call import Call
from sekisho.credentials import key_ring
from sekisho.operations import Resource, operation, prepare, resource
from sekisho.services.iam import certificates, entities, tags
from sekisho.services.iam.certificates import Certificate
from sekisho.services.iam.errors import MalformedCertificate
from sekisho.store.tables import ServerCertificate


@resource("server-certificate")
def server_certificate(call: Call, request: Message, field: str) -> Resource:
    """The server certificate that the request names."""
    return entities.resource(call, ServerCertificate, request, getattr(request, field))


@resource("renamed-server-certificate")
def renamed_server_certificate(call: Call, request: pb.UpdateServerCertificateRequest, field: str) -> Resource:
    """The server certificate as it will be afterwards."""
    name, new_name = getattr(request, field), request.new_server_certificate_name
    return entities.renamed_resource(call, ServerCertificate, name, new_name=new_name, new_path=request.new_path)


@operation
def upload_server_certificate(call: Call, request: pb.UploadServerCertificateRequest) -> pb.UploadServerCertificateResponse:
    """Certificate, private key and chain must follow from each other, and the certificate be valid now."""
    certificate: Certificate = call.prepared
    columns = entities.new_columns(call, ServerCertificate, request.server_certificate_name, request.path, quota="ServerCertificatesQuota")
    place = ("server_certificates", "private_key", columns["id"])
    row = ServerCertificate(
        **columns,
        body=_strip(request.certificate_body),
        chain=_strip(request.certificate_chain) or None,
        private_key=call.node.ring.seal(key_ring.CERTIFICATES, request.private_key.encode(), place),
        expires_at=certificate.ends,
    )
    given = tags.first(call, row, request.tags)
    return pb.UploadServerCertificateResponse(server_certificate_metadata=_message(row), tags=given)


@prepare(upload_server_certificate)
def _read(call: Call, request: pb.UploadServerCertificateRequest) -> Callable[[], Certificate]:
    """To check a long private key takes a tenth of a second, and nothing else need wait for it."""

    def read() -> Certificate:
        certificate = certificates.read(request.certificate_body)
        certificates.check_private_key(certificate, request.private_key)
        if request.certificate_chain:
            certificates.check_chain(certificate, request.certificate_chain)
        if not certificate.valid_at(call.now):
            raise MalformedCertificate("The certificate must be valid at the time of upload: it has expired or is not valid yet.")
        return certificate

    return read


@operation
def get_server_certificate(call: Call, request: pb.GetServerCertificateRequest) -> pb.GetServerCertificateResponse:
    """With its texts as they were sent, but for line ends at their end, and without the private key."""
    row = entities.find(call, ServerCertificate, request.server_certificate_name)
    shown = pb.ServerCertificate(
        server_certificate_metadata=_message(row),
        certificate_body=row.body,
        certificate_chain=row.chain,
        tags=tags.messages(call, row),
    )
    return pb.GetServerCertificateResponse(server_certificate=shown)


@operation
def update_server_certificate(call: Call, request: pb.UpdateServerCertificateRequest) -> pb.UpdateServerCertificateResponse:
    """The unique id stays."""
    row = entities.find(call, ServerCertificate, request.server_certificate_name)
    entities.rename(call, row, request.new_server_certificate_name, request.new_path)
    return pb.UpdateServerCertificateResponse()


@operation
def delete_server_certificate(call: Call, request: pb.DeleteServerCertificateRequest) -> pb.DeleteServerCertificateResponse:
    """With its private key."""
    row = entities.find(call, ServerCertificate, request.server_certificate_name)
    tags.clear(call, row)
    call.session.delete(row)
    return pb.DeleteServerCertificateResponse()


@operation
def list_server_certificates(call: Call, request: pb.ListServerCertificatesRequest) -> pb.ListServerCertificatesResponse:
    """By name, without texts."""
    found = entities.page_by_name(call, request, ServerCertificate, path_prefix=request.path_prefix)
    return pb.ListServerCertificatesResponse(
        server_certificate_metadata_list=[_message(row) for row in found.rows],
        is_truncated=found.marker is not None,
        marker=found.marker,
    )


@operation
def tag_server_certificate(call: Call, request: pb.TagServerCertificateRequest) -> pb.TagServerCertificateResponse:
    """The keys of its tags differ by case."""
    tags.put(call, entities.find(call, ServerCertificate, request.server_certificate_name), request.tags)
    return pb.TagServerCertificateResponse()


@operation
def untag_server_certificate(call: Call, request: pb.UntagServerCertificateRequest) -> pb.UntagServerCertificateResponse:
    """A key that is not there is no error."""
    tags.remove(call, entities.find(call, ServerCertificate, request.server_certificate_name), request.tag_keys)
    return pb.UntagServerCertificateResponse()


@operation
def list_server_certificate_tags(call: Call, request: pb.ListServerCertificateTagsRequest) -> pb.ListServerCertificateTagsResponse:
    """By key."""
    row = entities.find(call, ServerCertificate, request.server_certificate_name)
    return tags.respond(call, request, row, pb.ListServerCertificateTagsResponse)


def _strip(text: str) -> str:
    """A text as AWS gives it back: without line ends at its end, which Terraform would otherwise want to change at every plan."""
    return text.rstrip("\r\n")


def _message(row: ServerCertificate) -> pb.ServerCertificateMetadata:
    return pb.ServerCertificateMetadata(
        path=row.path,
        server_certificate_name=row.name,
        server_certificate_id=row.id,
        arn=entities.arn_of(row),
        upload_date=entities.seconds(row.created_at),
        expiration=entities.seconds(row.expires_at),
    )
