-- Customers with very many payments are judged apart from the others.
ALTER TABLE dirty ADD COLUMN heavy BIGINT NOT NULL DEFAULT 0 CHECK (heavy IN (0, 1));
DROP INDEX dirty_by_time;
CREATE INDEX dirty_by_time ON dirty (connection_id, heavy, marked_at_us);

-- Of a customer's objects only those that lead to coupons are looked for by customer: they are
-- few, the others are as many as the payments.
DROP INDEX objects_by_customer;
CREATE INDEX objects_coupon_sources ON objects (connection_id, customer_id)
    WHERE kind IN ('discount', 'promotion_code', 'subscription');
