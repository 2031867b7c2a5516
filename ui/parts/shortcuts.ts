/** Keys that work anywhere on the page, except where somebody types or a dialog is open. */
import { useEffect, useRef } from 'react';

export type Shortcuts = Readonly<Record<string, (event: KeyboardEvent) => void>>;

/** All of them, for the help. */
export const shortcutHelp: readonly (readonly [string, string])[] = [
  ['/', 'Filter machines; Enter goes to the list'],
  ['j  ↓', 'Next machine'],
  ['k  ↑', 'Previous machine'],
  ['Enter', 'Open the machine'],
  ['Esc', 'Clear the filter, close a dialog'],
  ['g c', 'Cells'],
  ['g m', 'Machines'],
  ['g f', 'Findings'],
  ['t', 'Light, dark, as the system says'],
  ['?', 'This help'],
];

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName));
}

/** A key is its own name (`j`, `ArrowDown`), or two in a row (`g c`). */
export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  useEffect(() => {
    let before = '';
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (isTyping(event.target) || document.querySelector('[role="dialog"],[role="alertdialog"],[role="menu"],[role="listbox"]')) return;
      const all = latest.current;
      const handle = (before === '' ? undefined : all[`${before} ${event.key}`]) ?? all[event.key];
      before = event.key === 'g' ? 'g' : '';
      if (!handle) return;
      event.preventDefault();
      handle(event);
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}
