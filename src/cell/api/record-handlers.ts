/** What is written down of machines: operations, findings, events. */
import type { ApiContext } from './api-context.ts';
import { eventHandlers } from './events.ts';
import { findingHandlers } from './findings.ts';
import { operationHandlers } from './operations.ts';

/** Handlers of operations, findings and events, for a cell that is asked directly. */
export function recordHandlers(context: ApiContext) {
  return { ...operationHandlers(context), ...findingHandlers(context), ...eventHandlers(context) };
}
