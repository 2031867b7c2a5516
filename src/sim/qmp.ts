import { createConnection } from 'node:net';
import type { Socket } from 'node:net';

/** A conversation with QEMU's machine protocol over its unix socket. Events are ignored. */
export class Qmp {
  readonly #socket: Socket;
  readonly #waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];
  #rest = '';
  #ended = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('close', () => this.#end());
    socket.on('error', () => this.#end());
  }

  /** Connects to a QEMU that is just starting, for at most `withinMs`. */
  static async connect(path: string, withinMs = 10_000): Promise<Qmp> {
    const until = Date.now() + withinMs;
    for (;;) {
      const socket = createConnection(path);
      const ok = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => resolve(true));
        socket.once('error', () => resolve(false));
      });
      if (ok) {
        const qmp = new Qmp(socket);
        await qmp.run('qmp_capabilities');
        return qmp;
      }
      if (Date.now() > until) throw new Error(`QEMU did not open ${path} within ${withinMs} ms.`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Runs one command and returns what it returned; throws with QEMU's words. */
  run(command: string, args?: Record<string, unknown>): Promise<unknown> {
    if (this.#ended) return Promise.reject(new Error('QEMU is gone.'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute: command, ...(args ? { arguments: args } : {}) })}\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
    this.#end();
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const message: unknown = line.trim() === '' ? undefined : JSON.parse(line);
      if (typeof message !== 'object' || message === null) continue;
      if ('return' in message) this.#waiting.shift()?.resolve(message.return);
      else if ('error' in message) this.#waiting.shift()?.reject(new Error(`QEMU: ${JSON.stringify(message.error)}`));
    }
  }

  #end(): void {
    this.#ended = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('QEMU is gone.'));
  }
}
