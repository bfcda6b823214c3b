-- From version 2 to 3: workers and tasks with labels, tenants that a claim passes over, permits, shares, the mark of an
-- import that has not finished.

ALTER TABLE task ADD COLUMN needs TEXT;
ALTER TABLE task ADD COLUMN labels TEXT NOT NULL DEFAULT '[]';
CREATE INDEX task_turn ON task (coalesce(tenant, ''), priority, due, id) WHERE owner IS NULL AND due IS NOT NULL;

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
