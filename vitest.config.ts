/** Unit and room tests: beside the code in src/ and ui/, of the tree as a whole in test/. Runs in `npm test` and by `npm run unit`. */
import { existsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/** Starts the one PostgreSQL that a run's tests clone their databases from. */
const postgres = 'test/postgres.ts';

export default defineConfig({
  test: {
    include: ['{src,test,ui,e2e,bench,setup}/**/*.test.{ts,tsx}'],
    globalSetup: existsSync(new URL(postgres, import.meta.url)) ? [postgres] : [],
    // Two cores: two worker processes; a third only adds waiting for PostgreSQL.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    passWithNoTests: false,
  },
});
