/** A dialog over the page: title, what is asked, and the buttons. Focus stays inside, Escape closes it. */
import type { FormEvent, ReactNode } from 'react';
import { Button } from 'react-aria-components/Button';
import { Dialog } from 'react-aria-components/Dialog';
import { Heading } from 'react-aria-components/Heading';
import { Modal, ModalOverlay } from 'react-aria-components/Modal';

interface AskProps {
  readonly title: string;
  readonly children: ReactNode;
  readonly confirm: string;
  readonly danger?: boolean;
  readonly busy?: boolean;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
}

/** Asks before something is done. */
export function Ask({ title, children, confirm, danger = false, busy = false, onConfirm, onClose }: AskProps) {
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onConfirm();
  };
  return (
    <Framed title={title} onClose={onClose} role={danger ? 'alertdialog' : 'dialog'}>
      <form onSubmit={submit}>
        <div className="dialog-body">{children}</div>
        <div className="dialog-buttons">
          <Button onPress={onClose}>Cancel</Button>
          <Button type="submit" className={danger ? 'primary danger' : 'primary'} isDisabled={busy} autoFocus={!danger}>
            {confirm}
          </Button>
        </div>
      </form>
    </Framed>
  );
}

interface FramedProps {
  readonly title: string;
  readonly children: ReactNode;
  readonly role?: 'dialog' | 'alertdialog';
  readonly onClose: () => void;
}

export function Framed({ title, children, role = 'dialog', onClose }: FramedProps) {
  return (
    <ModalOverlay className="overlay" isOpen isDismissable onOpenChange={(open) => !open && onClose()}>
      <Modal className="modal">
        <Dialog role={role} className="dialog">
          <Heading slot="title" level={2}>
            {title}
          </Heading>
          {children}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
