const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default {
  base: "./",
  // The package's worker stays beside its module.
  optimizeDeps: { exclude: ["v86-nvme"] },
  worker: { format: "es" },
  server: { headers },
  preview: { headers },
};
