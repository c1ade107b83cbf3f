"""Digest files: each names the files of a trail that were delivered since the one before, with their hashes, and the digest file before it.

They are CloudTrail's own, so that `aws cloudtrail validate-logs` finds out who has changed or removed a file where it lies. Each account
and region of a trail has a chain of them. One begins anew where the trail did not log in between.
Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from sekisho import meters
from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import SekishoError
from sekisho.journal.trail import delivery, events, files, keys, plans, spans
from sekisho.journal.trail.destinations import Destination
from sekisho.store import db
from sekisho.store.tables import Trail, TrailDigest, TrailFile, TrailSpan
from sekisho.store.tables.trail_files import DELIVERED, PLANNED

ALGORITHM = "SHA256withRSA"
STANDSTILL = 24
"""Periods after which those that nobody was there for are one."""
BATCH = 100
"""Digest files that are planned in one transaction."""

DIGESTS = meters.Counter("sekisho_trail_digests_delivered", "Digest files of trails that buckets hold.")


@dataclass(frozen=True, slots=True)
class _Due:
    """A digest file that is due: of an account and region, for a period."""

    account_id: str
    region: str
    begins_at: datetime
    ends_at: datetime
    before: TrailDigest | None
    files: Sequence[TrailFile]


class Digests:
    """The digest files of all trails of one database, for periods of so many seconds."""

    def __init__(
        self,
        database: db.Database,
        ring: KeyRing,
        destinations: Mapping[str, Destination],
        period: int,
        *,
        now: Callable[[], datetime] = delivery.utc,
    ) -> None:
        self._database, self._ring, self._destinations, self._now = database, ring, destinations, now
        self._period = period

    def once(self, trail_id: str) -> bool:
        """Deliver a trail's digest files that are due; whether there may be more. The trail's status says what went wrong."""
        try:
            with self._database.read() as session:
                planned = session.scalars(_planned(trail_id)).all()
                trail = session.get(Trail, trail_id)
                due = [] if planned or trail is None else self._due(session, trail)
            if trail is None or (destination := self._destinations.get(trail.s3_bucket_name)) is None:
                return False
            if any((digest.bucket, digest.key) != (destination.bucket, _key(trail, destination, digest)) for digest in planned):
                self._give_up(trail_id)
                return True
            if due:
                planned = self._plan(trail, destination, due[:BATCH])
            for digest in planned:
                destination.put(digest.key, digest.content or b"", {"signature": digest.signature, "signature-algorithm": ALGORITHM})
                self._delivered(digest)
        except db.WriteConflict:
            return False  # another process is at it
        except SekishoError as error:
            self._say(trail_id, {"latest_digest_error": error.code})
            raise
        return bool(planned)

    def _due(self, session: Session, trail: Trail) -> list[_Due]:
        """The digest files that are due now, in the order of accounts and regions; of each the oldest period."""
        if not trail.log_file_validation_enabled:
            return []
        unnamed: dict[tuple[str, str], list[TrailFile]] = {}
        query = select(TrailFile).where(TrailFile.trail_id == trail.id, TrailFile.state == DELIVERED, TrailFile.digest_id.is_(None))
        for file in session.scalars(query.order_by(TrailFile.key)):
            unnamed.setdefault((file.account_id, file.region), []).append(file)
        newest = {(digest.account_id, digest.region): digest for digest in session.scalars(_newest(trail.id))}
        open_ = spans.load_open(session, trail.id)
        logging = [span for span in open_ if span.ended_at is None]
        accounts = plans.load_accounts(session, trail)
        chains = set(unnamed)
        if logging:
            chains |= {(account, trail.home_region) for account in accounts} | {chain for chain in newest if chain[0] in accounts}
        found = []
        for chain in sorted(chains):
            due = self._due_of(chain, newest.get(chain), open_, unnamed.get(chain, []))
            if due is not None:
                found.append(due)
        return found

    def _due_of(
        self, chain: tuple[str, str], before: TrailDigest | None, open_: Sequence[TrailSpan], unnamed: Sequence[TrailFile]
    ) -> _Due | None:
        now = self._now()
        last = self._boundary(now)
        began = max((_second(span.began_at) for span in open_), default=None)
        if before is not None and (began is None or began <= before.ends_at):
            begins = before.ends_at
        else:
            before = None
            begins = max(began or last, last - timedelta(seconds=self._period))
        ends = self._boundary(begins + timedelta(seconds=self._period))
        if (last - ends).total_seconds() > STANDSTILL * self._period:
            ends = last
        if ends > now:
            return None
        return _Due(*chain, begins, ends, before, unnamed)

    def _boundary(self, moment: datetime) -> datetime:
        """The end of a period that is next before a moment, or at it."""
        seconds = int(moment.timestamp())
        return datetime.fromtimestamp(seconds - seconds % self._period, UTC)

    def _plan(self, trail: Trail, destination: Destination, due: Sequence[_Due]) -> Sequence[TrailDigest]:
        """Write down digest files that are due, unless another process has."""
        signer = keys.current(self._database, self._ring, self._now())
        made = [(one, _digest(trail, destination, one, signer)) for one in due]
        with self._database.write(()) as session:
            session.scalar(select(Trail.id).where(Trail.id == trail.id).with_for_update())
            if session.scalar(select(_planned(trail.id).exists())):
                return ()
            for one, digest in made:
                at = select(TrailDigest.id).where(TrailDigest.trail_id == trail.id, TrailDigest.account_id == one.account_id)
                if session.scalar(at.where(TrailDigest.region == one.region, TrailDigest.ends_at >= one.ends_at).limit(1)):
                    return ()
                session.add(digest)
                named = [file.id for file in one.files]
                session.execute(update(TrailFile).where(TrailFile.id.in_(named)).values(digest_id=digest.id))
        return [digest for _, digest in made]

    def _give_up(self, trail_id: str) -> None:
        """Forget what is planned to go where the trail's files went before: a digest file says where it is, so another one is made."""
        with self._database.write(()) as session:
            ids = [digest.id for digest in session.scalars(_planned(trail_id))]
            session.execute(update(TrailFile).where(TrailFile.digest_id.in_(ids)).values(digest_id=None))
            session.execute(delete(TrailDigest).where(TrailDigest.id.in_(ids)))

    def _delivered(self, digest: TrailDigest) -> None:
        now = self._now()
        with self._database.write(()) as session:
            done: Any = session.execute(
                update(TrailDigest).where(TrailDigest.id == digest.id, TrailDigest.state == PLANNED).values(state=DELIVERED, content=None)
            )
            if done.rowcount == 1:
                before = delete(TrailDigest).where(TrailDigest.trail_id == digest.trail_id, TrailDigest.account_id == digest.account_id)
                session.execute(before.where(TrailDigest.region == digest.region, TrailDigest.ends_at < digest.ends_at))
        DIGESTS.inc()
        self._say(digest.trail_id, {"latest_digest_at": now, "latest_digest_error": None})

    def _say(self, trail_id: str, said: Mapping[str, Any]) -> None:
        with self._database.write(()) as session:
            session.execute(update(Trail).where(Trail.id == trail_id).values(said))


def signed_text(ends: str, bucket: str, key: str, content: bytes, before: str | None) -> bytes:
    """The text that the signature of a digest file is of: its end, its place, its hash and the signature of the one before."""
    return f"{ends}\n{bucket}/{key}\n{files.sha256(content)}\n{before or 'null'}".encode()


def _digest(trail: Trail, destination: Destination, due: _Due, signer: tuple[str, RSAPrivateKey]) -> TrailDigest:
    fingerprint, private = signer
    key = _key(trail, destination, due)
    before, named = due.before, due.files
    said = {
        "awsAccountId": due.account_id,
        "digestStartTime": events.moment(due.begins_at),
        "digestEndTime": events.moment(due.ends_at),
        "digestS3Bucket": destination.bucket,
        "digestS3Object": key,
        "newestEventTime": events.moment(max(file.newest_at for file in named)) if named else None,
        "oldestEventTime": events.moment(min(file.oldest_at for file in named)) if named else None,
        "previousDigestS3Bucket": before.bucket if before is not None else None,
        "previousDigestS3Object": before.key if before is not None else None,
        "previousDigestHashValue": before.hash if before is not None else None,
        "previousDigestHashAlgorithm": "SHA-256" if before is not None else None,
        "previousDigestSignature": before.signature if before is not None else None,
        "digestPublicKeyFingerprint": fingerprint,
        "digestSignatureAlgorithm": ALGORITHM,
        "logFiles": [
            {
                "s3Bucket": file.bucket,
                "s3Object": file.key,
                "hashValue": file.hash,
                "hashAlgorithm": "SHA-256",
                "newestEventTime": events.moment(file.newest_at),
                "oldestEventTime": events.moment(file.oldest_at),
            }
            for file in named
        ],
    }
    content = json.dumps(said, separators=(",", ":")).encode()
    text = signed_text(events.moment(due.ends_at), destination.bucket, key, content, before.signature if before is not None else None)
    return TrailDigest(
        id=hashlib.sha256(f"{trail.id}/{key}".encode()).hexdigest()[:32],
        trail_id=trail.id,
        account_id=due.account_id,
        region=due.region,
        bucket=destination.bucket,
        key=key,
        ends_at=due.ends_at,
        hash=files.sha256(content),
        signature=keys.sign(private, text),
        content=files.compressed(content),
        state=PLANNED,
    )


def _key(trail: Trail, destination: Destination, of: _Due | TrailDigest) -> str:
    prefix = delivery.prefix_of(destination, trail)
    return files.digest_key(prefix, trail.organization_id, of.account_id, of.region, trail.home_region, trail.name, of.ends_at)


def _planned(trail_id: str) -> Select[TrailDigest]:
    return select(TrailDigest).where(TrailDigest.trail_id == trail_id, TrailDigest.state == PLANNED).order_by(TrailDigest.key)


def _newest(trail_id: str) -> Select[TrailDigest]:
    return select(TrailDigest).where(TrailDigest.trail_id == trail_id).order_by(TrailDigest.ends_at)


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
