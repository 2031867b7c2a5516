/** The text of a notification: `{name}` stands for what its context has there, `{{` and `}}` for braces. Pure. */

/** The message with its blanks filled; undefined when a blank has nothing to be filled with, or a brace stands alone. */
export function fillBlanks(message: string, context: Readonly<Record<string, unknown>>): string | undefined {
  let whole = true;
  const text = message.replace(/\{\{|\}\}|\{([A-Za-z0-9_-]{1,64})\}|[{}]/g, (found, name: string | undefined) => {
    if (found === '{{' || found === '}}') return found.slice(1);
    if (name !== undefined && Object.hasOwn(context, name)) return wordOf(context[name]);
    whole = false;
    return found;
  });
  return whole ? text : undefined;
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
