/**
 * Which shape the hub emits. While a member runs a version before a step of `shape.ts`, the step is undone in everything that is emitted, to
 * everybody. What is undone is itself a document of the stream, so every process of the hub changes over at the same revision; with it the
 * kind's documents are written again, because replicas hold them in the other shape.
 */
import type { Authority } from '../global/authority.ts';
import type { Document } from '../global/document.ts';
import { streamOf, type Kind } from '../global/kinds.ts';
import { streams, type Stream } from '../global/revision.ts';
import { noteVersion, readVersions } from './db/member-version-store.ts';
import type { HubDb } from './db/hub-tables.ts';
import type { Poller } from './db/progress-store.ts';
import { nameOfStep, oldestVersion, shapeSteps, stepsToUndo, undoSteps, type ShapeStep } from './shape.ts';

export interface Emission {
  /** The body as it is emitted now. */
  bodyOf(document: Document): Document['body'];
  /** A member says what it runs, before it is answered. */
  heard(poller: Poller, version: string): Promise<void>;
  /** Look whether older versions have come or gone. */
  refresh(): Promise<void>;
}

const markerOf = { access: 'emitted_access', config: 'emitted_config' } as const satisfies Record<Stream, Kind>;

export function createEmission(authority: Authority, db: HubDb, steps: readonly ShapeStep[] = shapeSteps): Emission {
  const { memory } = authority;
  const known = new Map<string, string>();
  const undoneIn = (stream: Stream): ShapeStep[] => {
    const names = memory.get(markerOf[stream], 'shape')?.undone ?? [];
    return steps.filter((step) => names.includes(nameOfStep(step)));
  };

  const refresh = async (): Promise<void> => {
    if (steps.length === 0) return;
    const members = (await readVersions(db)).filter(({ role, name }) => memory.named(role, name) !== undefined);
    const undo = stepsToUndo(oldestVersion(members.map(({ version }) => version)), steps);
    for (const stream of streams) {
      const wanted = undo.filter(({ kind }) => streamOf(kind) === stream).map(nameOfStep);
      const isSame = (names: readonly string[] = []) => names.length === wanted.length && names.every((name) => wanted.includes(name));
      if (isSame(memory.get(markerOf[stream], 'shape')?.undone)) continue;
      await authority.write(stream, 'muster', (draft) => {
        const before = draft.get(markerOf[stream], 'shape')?.undone ?? [];
        if (isSame(before)) return;
        draft.put(markerOf[stream], 'shape', { undone: wanted });
        const changed = steps.filter((step) => before.includes(nameOfStep(step)) !== wanted.includes(nameOfStep(step)));
        for (const kind of new Set(changed.map((step) => step.kind as Kind)))
          for (const [id, body] of draft.entries(kind)) draft.put(kind, id, body);
      });
    }
  };
  return {
    bodyOf: ({ kind, stream, body }) => (steps.length === 0 ? body : undoSteps(kind, body, undoneIn(stream))),
    heard: async (poller, version) => {
      const who = `${poller.role} ${poller.name} ${poller.process}`;
      if (known.get(who) === version) return;
      // Processes come and go; those that poll come back in.
      if (known.size > 10_000) known.clear();
      known.set(who, version);
      await noteVersion(db, poller, version);
      await refresh();
    },
    refresh,
  };
}
