-- +goose Up

-- One row for each name under which a source hears a device: a hub, each of its
-- children. What a health report leaves out keeps its last value.
CREATE TABLE twins (
    source       TEXT NOT NULL,
    device       TEXT NOT NULL,
    enrolled     TEXT NOT NULL, -- the registry's device; empty: none
    via          TEXT NOT NULL,
    premises     TEXT NOT NULL,
    name         TEXT NOT NULL, -- of the premises
    state        TEXT NOT NULL, -- heard, silent, unknown, gone
    state_at     BIGINT NOT NULL,
    first_heard  BIGINT NOT NULL,
    last_heard   BIGINT NOT NULL,
    last_kind    TEXT NOT NULL,
    retain       TEXT NOT NULL, -- class of what was heard last
    observations BIGINT NOT NULL,
    missed       BIGINT NOT NULL, -- radio frames
    misuse       BIGINT NOT NULL,
    misuse_at    BIGINT NOT NULL,
    misuse_words TEXT NOT NULL,
    clock        TEXT NOT NULL, -- empty: it says no time; right, wrong, none
    clock_error  DOUBLE PRECISION NOT NULL, -- seconds ahead
    health_at    BIGINT NOT NULL,
    battery      DOUBLE PRECISION,
    low_battery  BIGINT,
    voltage      DOUBLE PRECISION,
    link         DOUBLE PRECISION,
    rssi         DOUBLE PRECISION,
    uptime       BIGINT, -- microseconds
    firmware     TEXT NOT NULL,
    problem      TEXT NOT NULL,
    PRIMARY KEY (source, device)
);
CREATE INDEX twins_enrolled ON twins (enrolled, device);
CREATE INDEX twins_premises ON twins (premises);
CREATE INDEX twins_expiry ON twins (retain, last_heard);

-- The last value of everything that a device senses, by the event's own time.
CREATE TABLE twin_values (
    source   TEXT NOT NULL,
    device   TEXT NOT NULL,
    property TEXT NOT NULL,
    channel  TEXT NOT NULL,
    enrolled TEXT NOT NULL,
    premises TEXT NOT NULL,
    name     TEXT NOT NULL,
    state    TEXT NOT NULL,
    active   BIGINT, -- 0, 1; null: not said
    value    DOUBLE PRECISION,
    unit     TEXT NOT NULL,
    time     BIGINT NOT NULL,
    received BIGINT NOT NULL,
    retain   TEXT NOT NULL,
    seq      BIGINT NOT NULL,
    PRIMARY KEY (source, device, property, channel)
);
CREATE INDEX twin_values_enrolled ON twin_values (enrolled, device);
CREATE INDEX twin_values_premises ON twin_values (premises);
CREATE INDEX twin_values_expiry ON twin_values (retain, received);

-- What was sensed, for timelines: of a measured quantity the last value of each
-- minute, of a condition the last report of each second.
CREATE TABLE readings (
    source   TEXT NOT NULL,
    device   TEXT NOT NULL,
    property TEXT NOT NULL,
    channel  TEXT NOT NULL,
    slot     BIGINT NOT NULL, -- second since 1970, at which the minute or second begins
    state    TEXT NOT NULL,
    enrolled TEXT NOT NULL,
    premises TEXT NOT NULL,
    name     TEXT NOT NULL,
    active   BIGINT,
    value    DOUBLE PRECISION,
    unit     TEXT NOT NULL,
    time     BIGINT NOT NULL,
    received BIGINT NOT NULL,
    retain   TEXT NOT NULL,
    seq      BIGINT NOT NULL, -- log position
    PRIMARY KEY (source, device, property, channel, slot, state)
);
CREATE INDEX readings_premises ON readings (premises, time);
CREATE INDEX readings_enrolled ON readings (enrolled, time);
CREATE INDEX readings_expiry ON readings (retain, received);

-- +goose Down
DROP TABLE readings;
DROP TABLE twin_values;
DROP TABLE twins;
