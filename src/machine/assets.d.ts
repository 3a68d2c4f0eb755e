/** The URL of a file that may be gzipped (vite.config.ts). */
declare module "*?gzip" {
  const url: string;
  export default url;
}
