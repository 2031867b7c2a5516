import { createConfig, lintFromString } from '@redocly/openapi-core';
import { expect, test } from 'vitest';
import { openapi } from './openapi.ts';
import { routes } from './routes.ts';

/** Rules that MAAS's own paths break: they end in slashes, and its metadata server has `{version}` where others have words. */
const ofMaas = { 'no-path-trailing-slash': 'off', 'no-ambiguous-paths': 'off' } as const;

test('an OpenAPI linter finds nothing in the document', async () => {
  const config = await createConfig({ extends: ['recommended'], rules: ofMaas });
  const problems = await lintFromString({ source: JSON.stringify(openapi(routes, '1')), config, absoluteRef: 'openapi.json' });
  expect(problems.map((one) => `${one.ruleId}: ${one.message} at ${one.location[0]?.pointer ?? ''}`)).toEqual([]);
});
