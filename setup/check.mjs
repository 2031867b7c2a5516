/** `npm run check`: types, lint, format, dead code, and the arrows between the rooms. */
import { join } from 'node:path';
import { checks } from './checks.mjs';
import { requireNode } from './node.mjs';
import { handleInterrupts, runStep, showFailure, wasInterrupted } from './progress.mjs';

requireNode();
handleInterrupts();
const root = join(import.meta.dirname, '..');
const rooms = {
  name: 'rooms',
  script: 'node_modules/vitest/vitest.mjs',
  args: ['run', 'test/rooms.test.ts'],
  timeoutSeconds: 120,
  advice: 'Rooms: architecture §6, test/rooms.ts',
};
let failures = 0;
for (const { name, script, args, timeoutSeconds, advice } of [...checks, rooms]) {
  const log = join(root, `.muster/test/${name.replace(' ', '-')}.log`);
  const result = await runStep({ name, argv: [process.execPath, script, ...args], cwd: root, log, timeoutSeconds });
  if (wasInterrupted()) process.exit(130);
  if (result.ok) continue;
  failures += 1;
  showFailure(result, advice);
}
process.exit(failures === 0 ? 0 : 1);
