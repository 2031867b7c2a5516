/**
 * Paths of MAAS's virtual machine hosts, which its master answers with 410 for everybody and everything. They are no routes: the describe
 * document does not show them, and no client makes commands of them.
 */
import { basePaths } from './route.ts';

const goneCollections: ReadonlySet<string> = new Set(['pods', 'vm-hosts', 'virtual-machines', 'vm-clusters']);

/** Is this path (without query, without a `/cell/NAME` prefix) one of them: the collection, one of its members, or `op-NAME` below? */
export function isGone(path: string): boolean {
  if (!path.startsWith(basePaths.api)) return false;
  const [collection = '', , operation, ...rest] = path
    .slice(basePaths.api.length)
    .split('/')
    .filter((part) => part !== '');
  return goneCollections.has(collection) && rest.length === 0 && (operation === undefined || operation.startsWith('op-'));
}
