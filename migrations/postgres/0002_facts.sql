-- What the events say: one folded state per Stripe object, one record per payment.

CREATE TABLE objects (
    connection_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    object_id TEXT COLLATE "C" NOT NULL,
    group_id TEXT COLLATE "C",
    customer_id TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (connection_id, kind, object_id)
);

CREATE INDEX objects_by_group ON objects (connection_id, group_id);
CREATE INDEX objects_by_customer ON objects (connection_id, customer_id);

-- Derived: one row per group of linked objects.
CREATE TABLE payments (
    connection_id TEXT COLLATE "C" NOT NULL,
    group_id TEXT COLLATE "C" NOT NULL,
    customer_id TEXT COLLATE "C",
    record TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (connection_id, group_id)
);

CREATE INDEX payments_by_customer ON payments (connection_id, customer_id, group_id);

-- Derived: every value by which a customer can be found.
CREATE TABLE customer_keys (
    connection_id TEXT COLLATE "C" NOT NULL,
    key_kind TEXT COLLATE "C" NOT NULL,
    key_value TEXT COLLATE "C" NOT NULL,
    customer_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (connection_id, key_kind, key_value, customer_id)
);

CREATE INDEX customer_keys_by_customer ON customer_keys (connection_id, customer_id);
