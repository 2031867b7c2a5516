/** Every link of the page as a function, so that no page spells an address. */

/** What the machine list keeps in its URL. */
export interface MachineSearch {
  /** The words of the filter box. */
  readonly q?: string;
  /** State names of contract/lifecycle.ts, joined by commas. */
  readonly status?: string;
  readonly cell?: string;
  /** Column, falling with a minus in front. */
  readonly sort?: string;
}

export const path = {
  cells: () => ({ to: '/' }) as const,
  machines: (search: MachineSearch = {}) => ({ to: '/machines', search }) as const,
  machine: (systemId: string) => ({ to: '/machines/$systemId', params: { systemId } }) as const,
  findings: () => ({ to: '/findings' }) as const,
};

const searchKeys = ['q', 'status', 'cell', 'sort'] as const;

/** The search of a URL, whatever somebody typed there: unknown keys and empty values are left out. */
export function readMachineSearch(given: Readonly<Record<string, unknown>>): MachineSearch {
  const found: { [K in (typeof searchKeys)[number]]?: string } = {};
  for (const key of searchKeys) {
    const value = given[key];
    if ((typeof value === 'string' && value !== '') || typeof value === 'number') found[key] = String(value);
  }
  return found;
}
