// Takes out of node_modules what only the build of the admin, a compiler or a debugger reads. The Dockerfile runs it in the
// app's directory, on a copy that nothing is built from any more.
//
// A package needs those that its package.json names. So everything stays that the app's own package.json leads to, except
// where only the packages below lead to it.
import { existsSync, readFileSync, readdirSync, realpathSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

// They make the admin; `medusa build` has done that. Take out a line to keep a package.
const buildOnly = new Set([
  "@medusajs/admin-vite-plugin",
  "@medusajs/dashboard",
  "@medusajs/icons",
  "@medusajs/ui",
  "@vitejs/plugin-react",
  "autoprefixer",
  "tailwindcss",
  "vite",
])

// For compilers and debuggers.
const unread = /\.(map|d\.ts|d\.mts|d\.cts)$/

// find looks for a package as Node does, from a directory upwards.
function find(from, name) {
  for (let at = from; ; at = dirname(at)) {
    const place = join(at, "node_modules", name)
    if (existsSync(join(place, "package.json"))) return realpathSync(place)
    if (at === dirname(at)) return undefined
  }
}

const needed = new Set()

function need(dir) {
  if (needed.has(dir)) return
  needed.add(dir)
  const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"))
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
    const found = buildOnly.has(name) ? undefined : find(dir, name)
    if (found) need(found)
  }
}

const remove = (path) => rmSync(path, { recursive: true, force: true })

// sweep goes through a node_modules, or a directory of packages with one scope in it.
function sweep(modules) {
  for (const entry of readdirSync(modules, { withFileTypes: true })) {
    const path = join(modules, entry.name)
    if (entry.isSymbolicLink()) continue
    if (entry.name === ".pnpm") {
      for (const one of readdirSync(path)) sweepIfThere(join(path, one, "node_modules"))
    } else if (entry.name.startsWith("@")) {
      sweep(path)
    } else if (entry.isDirectory() && existsSync(join(path, "package.json"))) {
      if (needed.has(path)) sweepIfThere(join(path, "node_modules"))
      else remove(path)
    }
  }
}

function sweepIfThere(modules) {
  if (existsSync(modules)) sweep(modules)
}

// tidy removes the files that nothing reads, and links to what is gone.
function tidy(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) {
      if (entry.name !== "typescript") tidy(path) // its .d.ts are what it works with
    } else if (entry.isSymbolicLink() ? !existsSync(path) : unread.test(entry.name)) {
      remove(path)
    }
  }
}

const app = realpathSync(process.cwd())
need(app)
for (let at = app; ; at = dirname(at)) {
  const modules = join(at, "node_modules")
  if (existsSync(modules)) {
    sweep(modules)
    tidy(modules)
    // The package manager's notes on the installation: the time of it is in some.
    for (const entry of readdirSync(modules, { withFileTypes: true })) {
      if (entry.isFile() && entry.name.startsWith(".")) remove(join(modules, entry.name))
    }
  }
  if (at === dirname(at)) break
}

// The server has to load without what is gone, or the build ends here, before there is an image.
try {
  const require = createRequire(join(app, "package.json"))
  require("@medusajs/medusa/commands/start")
  createRequire(require.resolve("@medusajs/medusa"))("@medusajs/admin-bundler")
} catch (error) {
  console.error(error)
  console.error("\nThe server reads what was taken out: take that package's line out of buildOnly, in Dockerfile.prune.mjs.")
  process.exit(1)
}
process.exit(0) // what was loaded may wait for something
