/** What stands where a list would: that it is being read, that it is empty, that it could not be read, that it is not whole. */
import type { ReactNode } from 'react';
import { Button } from 'react-aria-components/Button';
import { errorText, type CellsAsked } from '../api.ts';

export function Waiting({ what }: { readonly what: string }) {
  return (
    <p className="notice waiting" role="status">
      <span className="spinner" aria-hidden="true" />
      Reading {what}…
    </p>
  );
}

export function Empty({ children }: { readonly children: ReactNode }) {
  return <div className="notice empty">{children}</div>;
}

export function Failed({ error, what, again }: { readonly error: unknown; readonly what: string; readonly again?: () => void }) {
  return (
    <div className="notice failed" role="alert">
      <p>
        <strong>Could not read {what}.</strong> {errorText(error)}
      </p>
      {again && <Button onPress={again}>Try again</Button>}
    </div>
  );
}

/** Absent cells are named, never hidden. */
export function Partial({ cells, children }: { readonly cells: CellsAsked | undefined; readonly children?: ReactNode }) {
  if (!cells || cells.absent.length === 0) return null;
  const names = cells.absent.join(', ');
  return (
    <div className="notice partial" role="status">
      <strong>
        {cells.answered} of {cells.asked} cells answered.
      </strong>{' '}
      {cells.absent.length === 1 ? `Cell ${names} is` : `Cells ${names} are`} absent. {children}
    </div>
  );
}
