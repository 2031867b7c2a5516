/** What administrators are told of an import: a notification for each source that has something to tell, and none for the others. */
import { isDeepStrictEqual } from 'node:util';
import type { Draft } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { retireNotification } from '../retire-notification.ts';

export interface SourceReport {
  readonly source: BodyOf<'boot_source'>;
  /** Why something could not be imported, each once. */
  readonly troubles: readonly string[];
  /** What was passed over, and why. */
  readonly left: readonly string[];
}

const identOf = (source: number, what: 'import' | 'left'): string => `boot-source-${source}-${what}`;
const isOurs = /^boot-source-\d+-(import|left)$/;
const mostNotifications = 1_000;
const mostNamed = 12;

/** A text that can be stored and read: what sites answer is theirs to write. */
function shortOf(text: string): string {
  const clean = text.toWellFormed().replace(/\p{Cc}+/gu, ' ');
  return clean.length > 240 ? `${clean.slice(0, 240).toWellFormed()}…` : clean;
}

function listed(texts: readonly string[], separator: string): string {
  const named = texts.slice(0, mostNamed).map(shortOf).join(separator);
  return texts.length > mostNamed ? `${named}${separator}and ${texts.length - mostNamed} more` : named;
}

type Notice = Pick<BodyOf<'notification'>, 'message' | 'context' | 'category'>;

/** By ident. Pure. */
export function noticesOf(reports: readonly SourceReport[]): Map<string, Notice> {
  const notices = new Map<string, Notice>();
  for (const { source, troubles, left } of reports) {
    const named = { source: shortOf(source.name), url: shortOf(source.url) };
    if (troubles.length > 0)
      notices.set(identOf(source.id, 'import'), {
        category: 'error',
        message: 'Images of the boot source {source} ({url}) were not imported: {reason}. What was imported before is as it was.',
        context: { ...named, reason: listed(troubles, '; ') },
      });
    if (left.length > 0)
      notices.set(identOf(source.id, 'left'), {
        category: 'warning',
        message: 'Of the boot source {source} ({url}) these selected images were passed over: {left}.',
        context: { ...named, left: listed(left, '; ') },
      });
  }
  return notices;
}

/** Stage the notifications of these reports, in place of those of the import before. One that says the same stays, dismissed or not. */
export async function putNotices(draft: Draft, reports: readonly SourceReport[]): Promise<void> {
  const notices = noticesOf(reports);
  const had = new Map(
    draft.list('notification').flatMap((one) => (one.ident !== null && isOurs.test(one.ident) ? [[one.ident, one] as const] : [])),
  );
  for (const [ident, notification] of had) {
    const { message, context, category } = notification;
    if (isDeepStrictEqual(notices.get(ident), { category, message, context })) notices.delete(ident);
    else retireNotification(draft, notification);
  }
  for (const [ident, notice] of notices) {
    if (draft.list('notification').length >= mostNotifications) return;
    const id = await draft.drawId();
    draft.put('notification', id, { id, ident, user: null, users: false, admins: true, dismissable: true, ...notice });
  }
}
