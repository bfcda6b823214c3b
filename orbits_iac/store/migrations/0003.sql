-- From version 2 to 3: workers and tasks with labels, tenants that a claim passes over, and the mark of an import that
-- has not finished.

ALTER TABLE task ADD COLUMN needs TEXT;
ALTER TABLE task ADD COLUMN labels TEXT NOT NULL DEFAULT '[]';
CREATE INDEX task_turn ON task (coalesce(tenant, ''), priority, due, id) WHERE owner IS NULL AND due IS NOT NULL;

CREATE TABLE importing (
    name TEXT PRIMARY KEY, body BLOB NOT NULL
) WITHOUT ROWID;
