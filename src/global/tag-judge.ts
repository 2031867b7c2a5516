/**
 * Judges definitions of tags over hardware documents in a thread of its own, which may take so long and so much memory and is ended when it
 * takes more. Nothing that a person or a machine sends can hold up this program for longer than it takes to post a message.
 */
import { Worker } from 'node:worker_threads';
import type { HardwareDocuments } from './hardware-xml.ts';

export interface JudgeTask {
  readonly documents: HardwareDocuments;
  readonly definitions: readonly string[];
}

export type JudgeReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'unreadable'; readonly problem: string }
  | { readonly kind: 'read' }
  | ({ readonly kind: 'verdict' } & Verdict);

export type Verdict =
  | { readonly matches: boolean; readonly problem?: undefined }
  | { readonly matches?: undefined; readonly problem: string };

/** What one message may keep waiting for, in milliseconds: reading a document, or one definition over it. */
const patience = 2_000;
/** How long a thread may take to load its libraries, on a machine that has much else to do. */
const startPatience = 30_000;
/** How long a thread that has nothing to do is kept, in milliseconds. */
const idleAge = 10_000;
const memory = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };

/** One at a time asks it. */
export class TagJudge implements AsyncDisposable {
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #patience: number;

  constructor(patienceMs: number = patience) {
    this.#patience = patienceMs;
  }

  /** One verdict a definition, in order; `unreadable` when the documents are no XML that is taken. */
  judge(
    documents: HardwareDocuments,
    definitions: readonly string[],
  ): Promise<{ readonly verdicts: readonly Verdict[] } | { readonly unreadable: string }> {
    const turn = this.#turn.then(() => this.#judge(documents, definitions));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** What is wrong with a hardware document; undefined when nothing is. */
  async refuseXml(lshw: string): Promise<string | undefined> {
    const answer = await this.judge({ lshw, lldp: null }, []);
    return 'unreadable' in answer ? answer.unreadable : undefined;
  }

  async #judge(documents: HardwareDocuments, definitions: readonly string[]) {
    const verdicts: Verdict[] = [];
    do {
      const round = await this.#round({ documents, definitions: definitions.slice(verdicts.length) });
      if (round.unreadable !== undefined) return { unreadable: round.unreadable };
      verdicts.push(...round.verdicts);
    } while (verdicts.length < definitions.length);
    return { verdicts };
  }

  /** One message to the thread: all its verdicts, or those until it took too long and was ended. */
  async #round(task: JudgeTask): Promise<{ readonly verdicts: readonly Verdict[]; readonly unreadable?: string }> {
    clearTimeout(this.#idle);
    const isNew = this.#worker === undefined;
    const worker = (this.#worker ??= this.#start());
    const verdicts: Verdict[] = [];
    let isRead = false;
    try {
      return await new Promise((done) => {
        const ended = (why: string) => {
          this.#worker = undefined;
          void worker.terminate();
          done(isRead ? { verdicts: [...verdicts, { problem: why }] } : { verdicts, unreadable: why });
        };
        const slow = () => ended(`it took more than ${this.#patience / 1000} s`);
        let timer = setTimeout(slow, isNew ? startPatience : this.#patience);
        const settle = (result: { readonly verdicts: readonly Verdict[]; readonly unreadable?: string }) => {
          clearTimeout(timer);
          done(result);
        };
        worker.once('error', (error: Error & { code?: string }) => {
          clearTimeout(timer);
          ended(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'it took too much memory' : `it broke: ${error.message.slice(0, 200)}`);
        });
        worker.on('message', (reply: JudgeReply) => {
          clearTimeout(timer);
          timer = setTimeout(slow, this.#patience);
          if (reply.kind === 'ready') return;
          if (reply.kind === 'unreadable') return settle({ verdicts: [], unreadable: reply.problem });
          if (reply.kind === 'read') isRead = true;
          else verdicts.push(reply.problem === undefined ? { matches: reply.matches } : { problem: reply.problem });
          if (verdicts.length === task.definitions.length && isRead) settle({ verdicts });
        });
        worker.postMessage(task);
      });
    } finally {
      worker.removeAllListeners('message');
      worker.removeAllListeners('error');
      // A thread that was ended may still fail: nobody waits for it.
      worker.on('error', () => undefined);
      this.#idle = setTimeout(() => void this.#stop(), idleAge);
      this.#idle.unref();
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL('tag-judge-worker.ts', import.meta.url), { resourceLimits: memory });
    worker.unref();
    return worker;
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
    await this.#stop();
  }
}

/** A document that every kind of step finds something in: wrong functions and prefixes show on it. */
const sample = `<list><node id="core" class="bus" handle="DMI:0001"><product>x</product><vendor>x</vendor><size units="bytes">1</size>
<configuration><setting id="driver" value="x"/></configuration><capabilities><capability id="pci">PCI</capability></capabilities></node></list>`;

/** What is wrong with a definition, in one line; undefined when it can be judged. */
export async function refuseDefinition(definition: string): Promise<string | undefined> {
  await using judge = new TagJudge();
  const answer = await judge.judge({ lshw: sample, lldp: sample }, [definition]);
  return 'unreadable' in answer ? answer.unreadable : answer.verdicts[0]?.problem;
}
