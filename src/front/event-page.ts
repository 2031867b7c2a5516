/** `op=query` of events over several cells: newest first, cut at the limit. Pure. */

/** Events that a page has when nobody says how many. */
const usual = 100;
const longest = 1000;

interface EventPage {
  readonly events: readonly { readonly id: number; readonly created: string }[];
}

function isPage(value: unknown): value is EventPage {
  return typeof value === 'object' && value !== null && Array.isArray((value as { events?: unknown }).events);
}

/** MAAS writes `Fri, 07 Dec. 2018 20:11:08`, in UTC. */
export function timeOf(created: string): number {
  return Date.parse(`${created.replace('.', '')} UTC`);
}

/** The pages of several cells as one. An id orders events of one cell only, so there are no links to further pages. */
export function mergeEventPages(pages: readonly unknown[], limitText: string | undefined) {
  const limit = Math.min(longest, limitText === undefined ? usual : Number(limitText));
  const events = pages
    .filter(isPage)
    .flatMap((page) => page.events)
    .map((event) => ({ event, at: timeOf(event.created) }))
    .sort((a, b) => b.at - a.at || b.event.id - a.event.id)
    .slice(0, limit)
    .map(({ event }) => event);
  return { count: events.length, events, next_uri: null, prev_uri: null };
}
