import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// Each entry is one island: a page includes it by its source path, which the
// manifest maps to the built files. Everything is a file of our own origin, so
// the pages' content security policy needs no exception for scripts or styles.
export default defineConfig({
  base: '/assets/',
  publicDir: 'public',
  plugins: [svelte()],
  build: {
    outDir: '../internal/web/dist',
    emptyOutDir: true,
    assetsDir: '.',
    // Inlined assets would be data: URLs, which the policy does not allow.
    assetsInlineLimit: 0,
    manifest: 'manifest.json',
    modulePreload: { polyfill: false },
    sourcemap: false,
    target: 'es2022',
    // MapLibre alone is over a megabyte; it is one chunk, shared by the maps.
    chunkSizeWarningLimit: 1500,
    reportCompressedSize: false,
    rolldownOptions: {
      input: {
        theme: 'src/theme/theme.css',
        board: 'src/board/main.ts',
        'incident-map': 'src/incident-map/main.ts',
        livestamp: 'src/livestamp/main.ts',
      },
      // A chunk of its own stays in browsers' caches when our own code changes.
      output: { codeSplitting: { groups: [{ name: 'maplibre', test: /node_modules\/(maplibre-gl|@maplibre|@mapbox)\// }] } },
    },
  },
})
