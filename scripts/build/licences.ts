/** What is shipped in the built page, and under which licences: a page of the build that the help leads to. */
import { readdirSync, readFileSync } from "node:fs";
import type { Plugin } from "vite";

export const LICENCES_PAGE = "licences.txt";

/** The licences of Doorbell, of each of its `dependencies` (all else is not shipped), and of the images, as text. */
export function licencesText(root: URL): string {
  const { version, dependencies } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
  const libraries = Object.keys(dependencies).map(name => {
    const folder = new URL(`node_modules/${name}/`, root);
    const file = readdirSync(folder).find(entry => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} comes without the text of its licence: say here where it is.`);
    const { version, license } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
    return section(`${name} ${version} (${license})`, readFileSync(new URL(file, folder), "utf8"));
  });
  return [
    section(`Doorbell ${version} (MIT)`, readFileSync(new URL("LICENSE", root), "utf8")),
    ...libraries,
    section("The guest's images", readFileSync(new URL("public/images/LICENCES.md", root), "utf8")),
  ].join("\n");
}

const section = (title: string, text: string): string =>
  `${title}\n${"=".repeat(title.length)}\n\n${text.trim()}\n`;

/** Puts the page into the build, and has the development server answer with it. */
export function licences(): Plugin {
  const root = new URL("../../", import.meta.url);
  return {
    name: "doorbell:licences",
    configureServer({ middlewares }) {
      middlewares.use(`/${LICENCES_PAGE}`, (_, response) => {
        response.setHeader("Content-Type", "text/plain; charset=utf-8");
        response.end(licencesText(root));
      });
    },
    generateBundle() {
      this.emitFile({ type: "asset", fileName: LICENCES_PAGE, source: licencesText(root) });
    },
  };
}
