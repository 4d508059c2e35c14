-- Only PostgreSQL compresses, and is told how; here nothing changes.
SELECT 1;
