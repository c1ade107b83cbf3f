"""Being the only one: as long as one wants to, or lives."""

import subprocess
import sys
import time

from sqlalchemy import text

from sekisho.errors import ServiceUnavailable
from sekisho.store import db
from sekisho.store.alone import Alone

HOLDING = """
import sys
from sekisho.store import db
from sekisho.store.alone import Alone
alone = Alone(db.Database(sys.argv[1]), "it")
print(alone.take(), flush=True)
sys.stdin.read()
"""


def test_one_of_two_has_a_name(database_url: str) -> None:
    with db.Database(database_url) as one, db.Database(database_url) as two:
        mine, theirs, other = Alone(one, "it"), Alone(two, "it"), Alone(two, "other")
        assert [mine.take(), mine.take(), theirs.take(), other.take()] == [True, True, False, True]
        mine.release()
        assert [theirs.take(), mine.take()] == [True, False]
        theirs.release()
        other.release()


def test_a_name_ends_with_the_process_that_has_it(database_url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDING, database_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        with db.Database(database_url) as database:
            alone = Alone(database, "it")
            assert alone.take() is False
            process.kill()
            process.wait()
            for _ in range(600):  # PostgreSQL notices in a moment
                if alone.take():
                    break
                time.sleep(0.1)
            assert alone.take()
            alone.release()


def test_a_connection_that_went_is_taken_again(postgres_url: str) -> None:
    with db.Database(postgres_url) as database:
        alone = Alone(database, "it")
        assert alone.take()
        with database.engine.connect() as connection:
            held = text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            assert connection.execute(held).scalar_one() is True
        noticed = False
        for _ in range(600):
            try:
                alone.take()
            except ServiceUnavailable:
                noticed = True
                break
            time.sleep(0.1)
        assert noticed
        assert alone.take()
        alone.release()
