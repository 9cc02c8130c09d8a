-- What failed last, as the status page lists it.
CREATE INDEX inbox_failed_at ON inbox (settled_at) WHERE outcome = 'failed';
