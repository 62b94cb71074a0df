// What surrounds a medusa-config while it is run: the few packages that every config uses, and stand-ins for all others.
// The program that runs this gives `host`: env, open, maybe, mark, falsy, doubt(name), lose(name), main(module, exports, require,
// process, Buffer, URL, console).
(function (host) {
  "use strict";
  const strangers = new WeakSet();
  const maybe = Array.from(host.maybe || []);

  // A stranger is a value that only the real package has. It may be handed around; to call it is noted, because what comes
  // of it may decide something.
  function stranger(name) {
    const value = new Proxy(function () {}, {
      get(_, key) {
        if (key === "__esModule") return true;
        if (key === Symbol.toPrimitive) return () => host.mark;
        if (typeof key === "symbol" || key === "then" || key === "toJSON") return undefined;
        return stranger(name + "." + key);
      },
      apply() {
        host.doubt(name + "()");
        return host.falsy ? undefined : stranger(name + "()");
      },
      construct() {
        host.doubt("new " + name);
        return stranger("new " + name);
      },
      ownKeys(target) {
        host.lose("what is in " + name);
        return Reflect.ownKeys(target);
      },
    });
    strangers.add(value);
    return value;
  }

  // `import * as x` becomes a copy of a package's names, behind which the package stands: a stranger has no names to copy.
  const { getOwnPropertyNames, getPrototypeOf } = Object;
  Object.getOwnPropertyNames = (of) => (strangers.has(of) ? [] : getOwnPropertyNames(of));
  Object.getPrototypeOf = (of) => (strangers.has(of) ? of : getPrototypeOf(of));

  // A package of which some things are known, and the others are strangers.
  function known(name, things) {
    return new Proxy(things, {
      get(_, key) {
        if (key in things) return things[key];
        if (key === "__esModule") return false;
        return typeof key === "symbol" ? undefined : stranger(name + "." + key);
      },
    });
  }

  const env = new Proxy(Object.assign({}, host.env), {
    get(values, key) {
      if (typeof key === "string" && !(key in values) && (host.open || maybe.includes(key))) host.lose("the variable " + key);
      return values[key];
    },
    set(values, key, value) {
      values[key] = String(value);
      return true;
    },
  });
  const process = known("process", {
    env, argv: ["node", "medusa"], platform: "linux", arch: "x64", version: "v22.12.0", versions: { node: "22.12.0" },
    cwd: () => "/app", on() {}, exit() { throw new Error("process.exit was called"); },
  });

  function join(...parts) {
    const out = [];
    for (const part of parts.filter(Boolean).map(String).join("/").split("/")) {
      if (part === "..") out.pop();
      else if (part !== "" && part !== ".") out.push(part);
    }
    return out.join("/");
  }
  const path = known("path", {
    sep: "/",
    join: (...parts) => (String(parts[0]).startsWith("/") ? "/" : "") + join(...parts),
    resolve: (...parts) => {
      const from = parts.map(String).findLastIndex((part) => part.startsWith("/"));
      return "/" + join(...(from < 0 ? ["/app", ...parts] : parts.slice(from)));
    },
    dirname: (name) => String(name).split("/").slice(0, -1).join("/") || ".",
    basename: (name) => String(name).split("/").pop(),
  });
  const fs = known("fs", {
    existsSync: (name) => { host.doubt("whether " + name + " is there"); return !host.falsy; },
    readFileSync: () => host.mark,
  });
  const dotenv = known("dotenv", { config: () => ({ parsed: {} }) });
  const Modules = {
    ANALYTICS: "analytics", AUTH: "auth", CACHE: "cache", CACHING: "caching", CART: "cart", CUSTOMER: "customer",
    EVENT_BUS: "event_bus", INVENTORY: "inventory", LINK: "link_modules", PAYMENT: "payment", PRICING: "pricing",
    PRODUCT: "product", PROMOTION: "promotion", SALES_CHANNEL: "sales_channel", TAX: "tax", FULFILLMENT: "fulfillment",
    STOCK_LOCATION: "stock_location", USER: "user", WORKFLOW_ENGINE: "workflows", REGION: "region", ORDER: "order",
    API_KEY: "api_key", STORE: "store", CURRENCY: "currency", FILE: "file", NOTIFICATION: "notification", INDEX: "index",
    LOCKING: "locking", SETTINGS: "settings", SEARCH: "search", TRANSLATION: "translation", RBAC: "rbac",
  };
  const utils = known("@medusajs/framework/utils", {
    Modules, ModuleRegistrationName: Modules, loadEnv() {}, isProduction: () => ["production", "prod"].includes(env.NODE_ENV),
    defineConfig: (config) => { host.defined(); return config === undefined ? {} : config; },
  });
  const packages = {
    path, fs, dotenv, process, "dotenv/config": {}, "@medusajs/framework/utils": utils, "@medusajs/utils": utils,
    "@medusajs/framework": utils, "@medusajs/medusa": utils,
  };
  function require(name) {
    const plain = name.startsWith("node:") ? name.slice(5) : name;
    return Object.hasOwn(packages, plain) ? packages[plain] : stranger(plain);
  }
  require.resolve = (name) => name;

  const silent = () => {};
  const module = { exports: {} };
  host.main(module, module.exports, require, process, stranger("Buffer"), stranger("URL"),
    { log: silent, info: silent, warn: silent, error: silent, debug: silent });
  let config = module.exports;
  if (config && config.__esModule && !strangers.has(config)) config = config.default;
  if (strangers.has(config) || !config || typeof config !== "object" || typeof config.then === "function") {
    throw new Error("it gives no object that could be looked at");
  }
  return JSON.stringify(facts(config));

  // text is a value as text: empty when it is not there, the mark when nobody knows.
  function text(value) {
    if (value === undefined || value === null || value === false) return "";
    if (Array.isArray(value)) return value.map(text).join(",");
    if (strangers.has(value) || typeof value === "function") return host.mark;
    return String(value);
  }
  function object(value) {
    if (strangers.has(value)) { host.lose("a part of the config"); return {}; }
    return value && typeof value === "object" ? value : {};
  }
  function facts(config) {
    const project = object(config.projectConfig), http = object(project.http), admin = object(config.admin);
    const session = object(project.sessionOptions), driver = object(project.databaseDriverOptions);
    return {
      project: "projectConfig" in config, databaseUrl: text(project.databaseUrl), hasDatabaseUrl: "databaseUrl" in project,
      otherDatabase: !!object(driver.connection).host || !!project.clientUrl, redisUrl: text(project.redisUrl),
      sessionStore: !!session.dynamodbOptions, workerMode: text(project.workerMode), jwtSecret: text(http.jwtSecret),
      hasJwtSecret: "jwtSecret" in http, cookieSecret: text(http.cookieSecret), hasCookieSecret: "cookieSecret" in http,
      cors: ["storeCors", "adminCors", "authCors"].map((name) => ({ set: name in http, text: text(http[name]) })),
      adminDisabled: text(admin.disable), backendUrl: text(admin.backendUrl), hasBackendUrl: "backendUrl" in admin,
      modules: modules(config.modules),
    };
  }
  function modules(all) {
    if (all === undefined || all === null) return [];
    if (strangers.has(all)) { host.lose("the modules"); return []; }
    const list = Array.isArray(all) ? all : Object.entries(all).map(([key, one]) =>
      one && typeof one === "object" ? { key, ...one } : { key, disable: !one, resolve: typeof one === "string" ? one : "" });
    return list.map((one) => {
      if (strangers.has(one)) { host.lose("a module"); return {}; }
      const given = object(one), options = object(given.options);
      const providers = strangers.has(options.providers) ? (host.lose("the providers of a module"), []) : options.providers;
      return {
        key: text(given.key), resolve: text(given.resolve), disable: !!given.disable,
        providers: Array.isArray(providers) ? providers.map((p) => text(object(p).resolve)) : [],
      };
    });
  }
});
