/** Short words on what came of an action, in a corner of the page; what went wrong stays until somebody has read it. */
import { createContext, useCallback, useContext, useMemo, useRef, useState, type ReactNode } from 'react';
import { Button } from 'react-aria-components/Button';
import { errorText } from '../api.ts';

interface Toast {
  readonly id: number;
  readonly kind: 'done' | 'failed';
  readonly text: string;
}

export interface Toasts {
  done(text: string): void;
  /** `what` was tried; the error says why not. */
  failed(what: string, error: unknown): void;
}

const Context = createContext<Toasts>({ done: () => undefined, failed: () => undefined });

/** Milliseconds that good news stays. */
const stays = 5000;

export function useToasts(): Toasts {
  return useContext(Context);
}

export function ToastRegion({ children }: { readonly children: ReactNode }) {
  const [toasts, setToasts] = useState<readonly Toast[]>([]);
  const count = useRef(0);
  const drop = useCallback((id: number) => setToasts((all) => all.filter((toast) => toast.id !== id)), []);
  const add = useCallback(
    (kind: Toast['kind'], text: string) => {
      const id = (count.current += 1);
      setToasts((all) => [...all.slice(-3), { id, kind, text }]);
      if (kind === 'done') setTimeout(() => drop(id), stays);
    },
    [drop],
  );
  const value = useMemo<Toasts>(
    () => ({ done: (text) => add('done', text), failed: (what, error) => add('failed', `${what}: ${errorText(error)}`) }),
    [add],
  );
  return (
    <Context value={value}>
      {children}
      <section className="toasts" aria-label="Messages" aria-live="polite">
        {toasts.map(({ id, kind, text }) => (
          <div key={id} className={`toast ${kind}`} role={kind === 'failed' ? 'alert' : 'status'}>
            <span>{text}</span>
            <Button aria-label="Dismiss" className="quiet" onPress={() => drop(id)}>
              ×
            </Button>
          </div>
        ))}
      </section>
    </Context>
  );
}
