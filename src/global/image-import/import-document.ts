/** The document that is there while images are to be imported: every program sees by it that an import goes on. */
import type { Draft } from '../draft.ts';

/** Its id. */
export const theImport = 'images';

/** Ask for an import; while one goes on nothing changes. */
export function askForImport(draft: Draft, by: string, now: Date): void {
  if (!draft.get('image_import', theImport)) draft.put('image_import', theImport, { since: now.toISOString(), by });
}

/** The end of it, however it came. */
export function endImport(draft: Draft): void {
  draft.retire('image_import', theImport);
}
