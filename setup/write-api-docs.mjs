/** `npm run api-docs`: writes docs/api.md out of the routes table, or the file that is named. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireNode } from './node.mjs';

requireNode();
const { reference } = await import('../src/contract/reference.ts');
const { routes } = await import('../src/contract/routes.ts');
const file = process.argv[2] ?? join(import.meta.dirname, '../docs/api.md');
writeFileSync(file, reference(routes));
process.stdout.write(`${file} is written.\n`);
