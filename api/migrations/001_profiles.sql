-- Profiles: one document each; the columns are the truth for id and times, the document for the rest.
CREATE TABLE profiles (
  id         uuid PRIMARY KEY,
  data       jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);

-- Serves GET /v1/profiles: ORDER BY created_at DESC, id LIMIT … OFFSET …
-- (the list in order, without a sort; its count(*) is an index-only scan of the primary key).
CREATE INDEX profiles_created_at_id_idx ON profiles (created_at DESC, id);
