/** Builds the web page: from ui/ into dist/ui/, which every front, hub and cell serves (src/http/static-pages.ts). setup/build-ui.mjs calls it. */
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: 'ui',
  base: '/',
  plugins: [react()],
  build: {
    outDir: '../dist/ui',
    emptyOutDir: true,
    target: 'es2023',
    // Everything is a file of its own: the pages' Content-Security-Policy knows no data: but for images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1500,
  },
});
