# A Medusa app. What it is built with stays behind, and the layer with its dependencies is made from package.json and the
# lockfile alone: a change of the source neither installs nor uploads them again. docs/medusa.md explains each line.
FROM node:24-bookworm-slim AS base
# Not /app: that name gets in the way of what extends the admin, as Medusa's own Docker guide warns.
WORKDIR /image/server
ENV MEDUSA_DISABLE_TELEMETRY=true
ENV CI=true
RUN npm install --global pnpm@10.34.9

# The dependencies that the app runs with. A private registry's token comes as a secret, which no layer keeps.
FROM base AS production
COPY package.json pnpm-lock.yaml .npmrc pnpm-workspace.yaml ./
COPY apps/backend/package.json ./apps/backend/
COPY apps/storefront/package.json ./apps/storefront/
COPY packages/deep/types/package.json ./packages/deep/types/
COPY packages/shared/package.json ./packages/shared/
RUN --mount=type=cache,target=/pnpm --mount=type=secret,id=npmrc,target=/root/.npmrc \
    pnpm install --store-dir /pnpm --frozen-lockfile --prod --filter '@acme/backend...' \
    && find . -newermt @1 -exec touch --no-dereference --date=@0 {} +

# What it is built with, on top of them.
FROM production AS tools
RUN --mount=type=cache,target=/pnpm --mount=type=secret,id=npmrc,target=/root/.npmrc \
    pnpm install --store-dir /pnpm --frozen-lockfile --filter '@acme/backend...'

# What the admin is made from: all but what the server alone reads, unless something else imports from there.
FROM base AS admin-source
COPY . .
WORKDIR /image/server/apps/backend
RUN mkdir /server && for dir in api jobs migration-scripts scripts subscribers workflows; do \
      if [ -d "src/$dir" ]; then mv "src/$dir" /server/; fi; done \
    && if grep -rqsE "[\"']((\.\./)+(src/)?|\./src/|[@~]/?(src/)?|src/)(api|jobs|migration-scripts|scripts|subscribers|workflows)[\"'/]" src medusa-config.*; then \
      cp -r /server/. src/; fi

# The admin takes most of a build's time and up to 2 GB of memory. A change of the server does not make it again.
FROM tools AS admin
COPY --from=admin-source /image/server ./
RUN cd packages/deep/types && npm run build --if-present
RUN cd packages/shared && npm run build --if-present
WORKDIR /image/server/apps/backend
RUN npx --no-install medusa build --admin-only

FROM tools AS build
COPY . .
RUN cd packages/deep/types && npm run build --if-present
RUN cd packages/shared && npm run build --if-present
WORKDIR /image/server/apps/backend
# Needs no database.
RUN DISABLE_MEDUSA_ADMIN=true npx --no-install medusa build
RUN cd /image/server && rm -rf packages/deep/types/node_modules packages/shared/node_modules

# Of the dependencies, what a server reads: a third. All times are zero, so that the same dependencies are the same layer
# wherever they are installed.
FROM production AS pruned
WORKDIR /image/server/apps/backend
RUN --mount=type=bind,source=Dockerfile.prune.mjs,target=/prune.mjs node /prune.mjs \
    && find /image -newermt @1 -exec touch --no-dereference --date=@0 {} +

# What `medusa build` has made is an app of its own, which runs where its files lie.
FROM node:24-bookworm-slim
# The files are the user's that runs them: `medusa db:migrate` makes a directory in every module that has no migrations.
COPY --from=pruned --chown=node:node /image /
WORKDIR /server/apps/backend
ENV NODE_ENV=production PORT=9000 MEDUSA_DISABLE_TELEMETRY=true XDG_CONFIG_HOME=/tmp PATH=/server/apps/backend/node_modules/.bin:/server/node_modules/.bin:$PATH
COPY --from=build --chown=node:node /image/server/packages/deep/types /server/packages/deep/types
COPY --from=build --chown=node:node /image/server/packages/shared /server/packages/shared
COPY --from=admin --chown=node:node /image/server/apps/backend/.medusa/admin ./public/admin
COPY --from=build --chown=node:node /image/server/apps/backend/.medusa/server ./
ARG COMMIT
ENV COMMIT=$COMMIT
USER node
EXPOSE 9000
# No shell and no npm in between: SIGTERM reaches Medusa, which finishes the requests that it has.
CMD ["medusa", "start"]
