/** The web page. It uses the contract's API through the typed client, as every other client does, and nothing else. */
import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { worthRetrying } from './api.ts';
import { createPageRouter } from './router.tsx';
import { forget, isSignedOut } from './session.ts';
import { applyTheme, readTheme } from './theme.ts';

applyTheme(readTheme());
const queries = new QueryClient({
  queryCache: new QueryCache({ onError: (error) => isSignedOut(error) && forget(queries) }),
  defaultOptions: { queries: { retry: worthRetrying, staleTime: 5000, refetchOnWindowFocus: true }, mutations: { retry: false } },
});
const router = createPageRouter();
const root = document.getElementById('page');
if (!root) throw new Error('the page has no place to be drawn in');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
