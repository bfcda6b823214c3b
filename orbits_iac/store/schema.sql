-- The tables of a store, version 4. A table for each type of row in orbits_iac/model/rows.py: the fields that rows are
-- found by are columns, and the whole row is JSON in "body". What is changed here is brought to files of earlier versions
-- by a file in migrations/; a test compares both.
--
-- Rows with a body of any length stand in the order in which they came, with their key as an index beside them: what a
-- group writes for 32 executions then lies on 31 pages instead of 51. The small ones stand in the order of their keys.

CREATE TABLE execution (
    id TEXT PRIMARY KEY, root TEXT NOT NULL, parent TEXT, kind TEXT NOT NULL, identity TEXT, state TEXT NOT NULL,
    body BLOB NOT NULL, apart TEXT
);
CREATE INDEX execution_root ON execution (root, id);
CREATE INDEX execution_parent ON execution (parent, id);
CREATE INDEX execution_record ON execution (kind, identity, id);
CREATE INDEX execution_state ON execution (state, id);

CREATE TABLE entry (
    execution TEXT NOT NULL, "key" TEXT NOT NULL, body BLOB NOT NULL, apart TEXT,
    PRIMARY KEY (execution, "key")
);

CREATE TABLE message (
    execution TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (execution, id)
);

CREATE TABLE subscriber (
    execution TEXT NOT NULL, subscriber TEXT NOT NULL, "key" TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (execution, subscriber, "key")
) WITHOUT ROWID;

CREATE TABLE wait (
    event TEXT NOT NULL, execution TEXT NOT NULL, "key" TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (event, execution, "key")
) WITHOUT ROWID;
CREATE INDEX wait_execution ON wait (execution);

-- Tasks are claimed, woken and parked in place, so each of their fields is a column.
CREATE TABLE task (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, build TEXT NOT NULL, tenant TEXT, priority INTEGER NOT NULL, due REAL,
    owner TEXT, token INTEGER NOT NULL, own_build INTEGER NOT NULL DEFAULT 0, needs TEXT,
    labels TEXT NOT NULL DEFAULT '[]'
) WITHOUT ROWID;
CREATE INDEX task_owner ON task (owner, id);
-- Who is due next, without looking at those that are held or that only a message makes due; the second one tenant by
-- tenant, when others had their turn.
CREATE INDEX task_due ON task (priority, due, id) WHERE owner IS NULL AND due IS NOT NULL;
CREATE INDEX task_turn ON task (coalesce(tenant, ''), priority, due, id) WHERE owner IS NULL AND due IS NOT NULL;

CREATE TABLE record (
    kind TEXT NOT NULL, identity TEXT NOT NULL, tenant TEXT, version INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (kind, identity)
);
CREATE INDEX record_tenant ON record (tenant, kind, identity);

CREATE TABLE reader (
    kind TEXT NOT NULL, identity TEXT NOT NULL, reader TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (kind, identity, reader)
) WITHOUT ROWID;

CREATE TABLE revision (
    kind TEXT NOT NULL, identity TEXT NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (kind, identity, number)
);

CREATE TABLE once (
    kind TEXT NOT NULL, identity TEXT NOT NULL, place TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (kind, identity, place)
);

CREATE TABLE look (
    kind TEXT NOT NULL, identity TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (kind, identity)
);

-- Not AUTOINCREMENT, which writes one more page with every group: the newest event is never deleted, so that no number
-- is given twice.
CREATE TABLE event (
    seq INTEGER PRIMARY KEY, root TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX event_root ON event (root);

CREATE TABLE worker (
    id TEXT PRIMARY KEY, body BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE build (
    digest TEXT PRIMARY KEY, body BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE schedule (
    kind TEXT NOT NULL, identity TEXT NOT NULL, due REAL NOT NULL, version INTEGER NOT NULL, paused INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, identity)
) WITHOUT ROWID;
CREATE INDEX schedule_due ON schedule (paused, due);

CREATE TABLE data_key (
    name TEXT PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE importing (
    name TEXT PRIMARY KEY, body BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE permit (
    name TEXT NOT NULL, slot INTEGER NOT NULL, execution TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (name, slot)
) WITHOUT ROWID;
CREATE INDEX permit_execution ON permit (execution, name, slot);

CREATE TABLE line (
    name TEXT NOT NULL, rank INTEGER NOT NULL, turn INTEGER NOT NULL, execution TEXT NOT NULL, tenant TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (name, rank, turn, execution)
) WITHOUT ROWID;
CREATE INDEX line_execution ON line (execution, name, rank, turn);
CREATE INDEX line_tenant ON line (tenant, name, rank, turn, execution);

CREATE TABLE share (
    bucket TEXT NOT NULL, worker TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (bucket, worker)
) WITHOUT ROWID;
CREATE INDEX share_worker ON share (worker, bucket);
