/** npm puts node_modules/.bin first in PATH, and with it the locked Node; this says so when that did not happen. */

/** The servers run TypeScript as it is; that is Node 24 and later. */
export const neededNode = 24;

/**
 * What is wrong with the Node that runs; undefined when nothing is.
 * @param {string} version such as `24.21.0`
 * @param {string} program path of the running Node
 * @returns {string | undefined}
 */
export function wrongNode(version, program) {
  if (Number.parseInt(version, 10) >= neededNode) return undefined;
  return [
    `Muster needs Node ${neededNode}, and this is ${version} (${program}).`,
    'npm installs the right one as node_modules/.bin/node and puts it first in PATH for its scripts: go through npm, not to the files in setup/ directly.',
    'On a platform other than Linux on x64 or arm64 no such package exists: install Node 24 there.',
  ].join('\n');
}

/** Ends this process with exit code 1 when the wrong Node runs it. */
export function requireNode() {
  const problem = wrongNode(process.versions.node, process.execPath);
  if (problem === undefined) return;
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}
