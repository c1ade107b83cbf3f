"""Login profiles: the passwords of users.

Hashing takes its time, so it is done before the transaction, in `@prepare`. What it found out holds as long as the user's passwords are
still the same; the number of the new one makes sure of that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from sekisho.api.iam.v1 import login_profiles_pb2 as pb
from sekisho.calls import backing_off, devices
from sekisho.calls.call import Call
from sekisho.credentials import passwords
from sekisho.errors import AccessDenied, ValidationError
from sekisho.operations import operation, prepare
from sekisho.services.iam import entities, password_policies, users
from sekisho.services.iam.errors import EntityAlreadyExists, InvalidInput, InvalidUserType, NoSuchEntity, PasswordPolicyViolation
from sekisho.store.tables import Account, LoginProfile, PasswordHistory, PasswordPolicy, ProofFailure, User

_REUSED = "Policy constraint violation with password reuse prevention during password change."


@dataclass(frozen=True, slots=True)
class Prepared:
    """A hash of the new password, made when the user's newest password was the one of this number (0: none); and what hashing told."""

    password_hash: str
    newest: int
    reused: bool = False
    knows_old: bool = True


@operation
def create_login_profile(call: Call, request: pb.CreateLoginProfileRequest) -> pb.CreateLoginProfileResponse:
    """A user has one at most."""
    _refuse_signin_duration(request)
    user = _user(call, request.user_name)
    if call.session.get(LoginProfile, user.id) is not None:
        raise EntityAlreadyExists(f"Login Profile for user {user.name} already exists.")
    row = LoginProfile(user_id=user.id, password_reset_required=request.password_reset_required, created_at=call.now)
    _set(call, user, row, request.password)
    call.add(row)
    return pb.CreateLoginProfileResponse(login_profile=_message(user, row))


@operation
def get_login_profile(call: Call, request: pb.GetLoginProfileRequest) -> pb.GetLoginProfileResponse:
    """The password itself is told to nobody."""
    user = _user(call, request.user_name)
    return pb.GetLoginProfileResponse(login_profile=_message(user, _find(call, user)))


@operation
def update_login_profile(call: Call, request: pb.UpdateLoginProfileRequest) -> pb.UpdateLoginProfileResponse:
    """Fields that the request leaves out stay."""
    _refuse_signin_duration(request)
    user = _user(call, request.user_name)
    row = _find(call, user)
    if request.HasField("password"):
        _set(call, user, row, request.password)
    if request.HasField("password_reset_required"):
        row.password_reset_required = request.password_reset_required
    return pb.UpdateLoginProfileResponse()


@operation
def delete_login_profile(call: Call, request: pb.DeleteLoginProfileRequest) -> pb.DeleteLoginProfileResponse:
    """The old passwords are remembered as long as the user is there."""
    call.session.delete(_find(call, _user(call, request.user_name)))
    return pb.DeleteLoginProfileResponse()


@operation
def change_password(call: Call, request: pb.ChangePasswordRequest) -> pb.ChangePasswordResponse:
    """For whoever knows the old password, which cannot be the new one."""
    user = _caller(call)
    row = _find(call, user)
    if not call.prepared.knows_old:
        raise AccessDenied("The old password was incorrect.")
    if request.old_password == request.new_password:
        raise PasswordPolicyViolation(_REUSED)
    _set(call, user, row, request.new_password)
    row.password_reset_required = False
    return pb.ChangePasswordResponse()


@prepare(create_login_profile)
def _for_create(call: Call, request: pb.CreateLoginProfileRequest) -> Callable[[], Prepared]:
    if not request.user_name and call.caller.principal.kind == "root":
        raise InvalidInput("A root user has no password here: nobody signs in to a console.")
    if not request.HasField("password"):
        raise ValidationError("Value null at 'password' failed to satisfy constraint: Member must not be null")
    return _hashing(call, _user(call, request.user_name), request.password)


@prepare(update_login_profile)
def _for_update(call: Call, request: pb.UpdateLoginProfileRequest) -> Callable[[], Prepared | None]:
    if not request.HasField("password"):
        return lambda: None
    return _hashing(call, _user(call, request.user_name), request.password)


@prepare(change_password)
def _for_change(call: Call, request: pb.ChangePasswordRequest) -> Callable[[], Prepared]:
    user = _caller(call)
    return _hashing(call, user, request.new_password, old=request.old_password, old_hash=_find(call, user).password_hash)


def _hashing(call: Call, user: User, new: str, *, old: str = "", old_hash: str = "") -> Callable[[], Prepared]:
    """The work of hashing a new password, and of holding it against those that it must not be; a bad one is refused before."""
    rule = _check(call, user, new)
    history = _history(call, user)
    newest = history[0].number if history else 0
    ruled_out = [row.password_hash for row in history[: (rule.password_reuse_prevention or 0) if rule is not None else 0]]

    user_id = user.id

    def work() -> Prepared:
        if old_hash and not _is_old(call, user_id, old, old_hash):
            return Prepared("", newest, knows_old=False)
        if passwords.fits_any(new, ruled_out):
            return Prepared("", newest, reused=True)
        return Prepared(passwords.hashed(new), newest)

    return work


def _is_old(call: Call, user_id: str, old: str, old_hash: str) -> bool:
    """True for the old password, unless there were too many wrong ones; it is counted as wrong before it is looked at, so that many at once
    are no more tries.
    """
    with call.node.primary.write((call.account_id,), deadline=call.deadline) as session:
        if backing_off.is_waiting(session.get(ProofFailure, (user_id, backing_off.PASSWORD)), call.now):
            backing_off.meter(backing_off.PASSWORD, backing_off.WAITING)
            return False
        backing_off.owner_failed(session, user_id, backing_off.PASSWORD, call.now)
    if not passwords.fits(old, old_hash):
        backing_off.meter(backing_off.PASSWORD, backing_off.WRONG)
        return False
    with call.node.primary.write((call.account_id,), deadline=call.deadline) as session:
        backing_off.owner_proved(session, user_id, backing_off.PASSWORD)
    return True


def _set(call: Call, user: User, row: LoginProfile, password: str) -> None:
    """Give the profile the password that was prepared; PasswordPolicyViolation when it is not, or no longer, what the account demands.

    When somebody has set a password meanwhile, the next number is taken: a WriteConflict, after which the pipeline begins again.
    """
    _check(call, user, password)
    if call.prepared.reused:
        raise PasswordPolicyViolation(_REUSED)
    row.password_hash, row.changed_at = call.prepared.password_hash, call.now
    history = _history(call, user)
    call.add(PasswordHistory(user_id=user.id, number=call.prepared.newest + 1, password_hash=row.password_hash))
    for old in history[password_policies.REMEMBERED - 1 :]:
        call.session.delete(old)


def _check(call: Call, user: User, password: str) -> PasswordPolicy | None:
    """The password policy of the account; PasswordPolicyViolation for a password that the user cannot have."""
    rule = call.session.get(PasswordPolicy, call.account_id)
    name = call.session.get_one(Account, call.account_id).name
    password_policies.check(rule, password, name, user_name=user.name, alone=not devices.load_of(call.session, user.account_id, user.id))
    return rule


def _history(call: Call, user: User) -> Sequence[PasswordHistory]:
    """The user's passwords, the newest first."""
    query = select(PasswordHistory).where(PasswordHistory.user_id == user.id).order_by(PasswordHistory.number.desc())
    return call.session.scalars(query).all()


def _user(call: Call, name: str) -> User:
    row = users.find_named_or_own(call, name)
    if not isinstance(row, User):
        raise NoSuchEntity(f"Login Profile for User {row.name} cannot be found.")
    return row


def _caller(call: Call) -> User:
    """The user who calls, if it may change its password."""
    if call.caller.principal.kind != "user":
        raise InvalidUserType("Only IAM Users can change their own password.")
    user = _user(call, "")
    password_policies.permit(call, entities.resource_of_arn(call, "user", entities.arn_of(user)))
    return user


def _find(call: Call, user: User) -> LoginProfile:
    row = call.session.get(LoginProfile, user.id)
    if row is None:
        raise NoSuchEntity(f"Login Profile for User {user.name} cannot be found.")
    return row


def _refuse_signin_duration(request: pb.CreateLoginProfileRequest | pb.UpdateLoginProfileRequest) -> None:
    """A limit that nothing would keep is not taken: there is no console here that users sign in to."""
    if request.HasField("max_signin_session_duration"):
        raise InvalidInput("MaxSigninSessionDuration is not supported: users do not sign in to a console here.")


def _message(user: User, row: LoginProfile) -> pb.LoginProfile:
    return pb.LoginProfile(
        user_name=user.name, create_date=entities.seconds(row.created_at), password_reset_required=row.password_reset_required
    )
