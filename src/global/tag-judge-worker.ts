/** The thread that tag-judge.ts gives documents and definitions to. It says each verdict as soon as it is there, so that its silence can be timed. */
import { parentPort } from 'node:worker_threads';
import { holds, mergedDocument } from './hardware-xml.ts';
import type { JudgeReply, JudgeTask } from './tag-judge.ts';

function reply(message: JudgeReply): void {
  parentPort?.postMessage(message);
}

function wrong(error: unknown): string {
  if (error instanceof RangeError) return 'it is nested too deeply';
  return (error instanceof Error ? error.message : String(error)).slice(0, 300);
}

parentPort?.on('message', ({ documents, definitions }: JudgeTask) => {
  let document;
  try {
    document = mergedDocument(documents);
  } catch (error) {
    reply({ kind: 'unreadable', problem: wrong(error) });
    return;
  }
  reply({ kind: 'read' });
  for (const definition of definitions) {
    try {
      reply({ kind: 'verdict', matches: holds(definition, document) });
    } catch (error) {
      reply({ kind: 'verdict', problem: wrong(error) });
    }
  }
});

reply({ kind: 'ready' });
