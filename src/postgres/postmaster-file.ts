/** `postmaster.pid` of PostgreSQL ≥ 10 (src/include/utils/pidfile.h): one fact a line. */
export type PostmasterFile = {
  readonly pid: number;
  readonly port: number;
  readonly socketFolder: string;
  /** `starting`, `stopping`, `ready` or `standby`; empty while the file is being written. */
  readonly status: string;
};

/** Reads `postmaster.pid`; `undefined` for anything that is not one (empty, cut short, not numbers). */
export function parsePostmasterFile(text: string): PostmasterFile | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  const pid = Number(lines[0]);
  const port = Number(lines[3]);
  const socketFolder = lines[4];
  if (!/^\d{1,9}$/.test(lines[0] ?? '') || pid < 2) return undefined;
  if (!/^\d{1,5}$/.test(lines[3] ?? '') || socketFolder === undefined) return undefined;
  return { pid, port, socketFolder, status: lines[7] ?? '' };
}
