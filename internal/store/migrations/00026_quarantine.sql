-- +goose Up
-- What people did about an entry; internal/sense/quarantine.go applies it. A
-- claim is an attempt that is under way: the first on the log has it.
ALTER TABLE quarantine ADD COLUMN device      TEXT NOT NULL DEFAULT '';
ALTER TABLE quarantine ADD COLUMN topic       TEXT NOT NULL DEFAULT '';
ALTER TABLE quarantine ADD COLUMN kept        BIGINT NOT NULL DEFAULT 0; -- bytes that the log holds
ALTER TABLE quarantine ADD COLUMN claim       TEXT NOT NULL DEFAULT '';
ALTER TABLE quarantine ADD COLUMN claim_by    TEXT NOT NULL DEFAULT '';
ALTER TABLE quarantine ADD COLUMN claim_at    BIGINT NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN claim_seq   BIGINT NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN tries       BIGINT NOT NULL DEFAULT 0; -- that failed
ALTER TABLE quarantine ADD COLUMN problem     TEXT NOT NULL DEFAULT ''; -- of the last that failed
ALTER TABLE quarantine ADD COLUMN outcome     TEXT NOT NULL DEFAULT ''; -- empty: open
ALTER TABLE quarantine ADD COLUMN outcome_by  TEXT NOT NULL DEFAULT '';
ALTER TABLE quarantine ADD COLUMN outcome_at  BIGINT NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN outcome_why TEXT NOT NULL DEFAULT '';
ALTER TABLE quarantine ADD COLUMN fixed       BIGINT NOT NULL DEFAULT 0; -- 1: the bytes were mended first
CREATE INDEX quarantine_open ON quarantine (outcome, source, reason, seq);
-- The rows that are there lack the new columns: let the log fill them again.
DELETE FROM quarantine;
DELETE FROM positions WHERE name = 'quarantine';

-- +goose Down
DROP INDEX quarantine_open;
ALTER TABLE quarantine DROP COLUMN device;
ALTER TABLE quarantine DROP COLUMN topic;
ALTER TABLE quarantine DROP COLUMN kept;
ALTER TABLE quarantine DROP COLUMN claim;
ALTER TABLE quarantine DROP COLUMN claim_by;
ALTER TABLE quarantine DROP COLUMN claim_at;
ALTER TABLE quarantine DROP COLUMN claim_seq;
ALTER TABLE quarantine DROP COLUMN tries;
ALTER TABLE quarantine DROP COLUMN problem;
ALTER TABLE quarantine DROP COLUMN outcome;
ALTER TABLE quarantine DROP COLUMN outcome_by;
ALTER TABLE quarantine DROP COLUMN outcome_at;
ALTER TABLE quarantine DROP COLUMN outcome_why;
ALTER TABLE quarantine DROP COLUMN fixed;
