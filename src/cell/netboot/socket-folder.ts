/** A folder for a unix socket: a socket's path has 107 bytes at most, and a data folder may lie anywhere. */
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const longestPath = 107;

/**
 * `folder` itself when `name` in it is short enough, else one in the system's temporary folder that only we can enter; made 0750 (Kea
 * 3 refuses a wider one). The same folder gives the same answer.
 * @throws Error when somebody else owns what lies there.
 */
export async function socketFolder(folder: string, name: string): Promise<string> {
  const short = join(tmpdir(), `muster-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`);
  const chosen = Buffer.byteLength(join(folder, name)) <= longestPath ? folder : short;
  await mkdir(chosen, { recursive: true, mode: 0o750 });
  const found = await lstat(chosen);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new Error(`${chosen} is to hold the socket ${name}, but it is not a folder of ours`);
  }
  await chmod(chosen, 0o750);
  return chosen;
}
