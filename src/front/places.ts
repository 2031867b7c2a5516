/** How many requests to one cell are under way at once. What is over waits here, in order, where it is known not to have been sent. */
import type { Dispatcher } from 'undici';

export interface Places {
  /** Resolves with what gives the place back. @throws the signal's reason. */
  take(signal: AbortSignal): Promise<() => void>;
  /** At once, or undefined where all are taken. */
  tryTake(): (() => void) | undefined;
}

export function places(most: number): Places {
  let taken = 0;
  const waiting = new Set<() => void>();
  const place = (): (() => void) => {
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const [next] = waiting;
      if (next === undefined) taken -= 1;
      else next();
    };
  };
  const tryTake = (): (() => void) | undefined => {
    if (taken >= most) return undefined;
    taken += 1;
    return place();
  };
  const queue = (signal: AbortSignal): Promise<() => void> =>
    new Promise((resolve, reject) => {
      const leave = (): void => {
        waiting.delete(next);
        reject(signal.reason);
      };
      const next = (): void => {
        waiting.delete(next);
        signal.removeEventListener('abort', leave);
        resolve(place());
      };
      waiting.add(next);
      signal.addEventListener('abort', leave, { once: true });
    });
  return { tryTake, take: async (signal) => tryTake() ?? queue(signal) };
}

/** Calls `end` once the connection is free again, whether or not anybody has read the reply. */
export function whenOver(end: () => void): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) =>
    dispatch(options, {
      onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
      onResponseStart: (controller, status, headers, message) => handler.onResponseStart?.(controller, status, headers, message),
      onResponseData: (controller, chunk) => handler.onResponseData?.(controller, chunk),
      onResponseEnd: (controller, trailers) => {
        end();
        handler.onResponseEnd?.(controller, trailers);
      },
      onResponseError: (controller, error) => {
        end();
        handler.onResponseError?.(controller, error);
      },
    });
}
