// What ipmi_sim runs for each thing it wants of the chassis: passes its arguments to the emulator's unix socket (first argument)
// and prints the answer, whose first line is the exit code.
import { createConnection } from 'node:net';

const [path = '', ...args] = process.argv.slice(2);
let answer = '';
const socket = createConnection(path, () => socket.end(`${JSON.stringify(args)}\n`));
socket.setEncoding('utf8');
socket.on('data', (text: string) => (answer += text));
socket.on('error', () => process.exit(1));
socket.on('close', () => {
  const [code = '1', ...lines] = answer.split('\n');
  process.stdout.write(lines.join('\n'));
  process.exitCode = Number(code) || 0;
});
