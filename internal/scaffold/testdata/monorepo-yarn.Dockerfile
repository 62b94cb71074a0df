# A Medusa app. What it is built with stays behind, and the layer with its dependencies is made from package.json and the
# lockfile alone: a change of the source neither installs nor uploads them again. docs/medusa.md explains each line.
FROM node:24-bookworm-slim AS base
# Not /app: that name gets in the way of what extends the admin, as Medusa's own Docker guide warns.
WORKDIR /image/server
ENV MEDUSA_DISABLE_TELEMETRY=true
# Medusa looks for its packages in node_modules.
ENV YARN_NODE_LINKER=node-modules YARN_ENABLE_GLOBAL_CACHE=false YARN_CACHE_FOLDER=/yarn YARN_ENABLE_TELEMETRY=false
RUN npm install --global --force @yarnpkg/cli-dist@4

# The dependencies that the app runs with. A private registry's token comes as a secret, which no layer keeps.
FROM base AS production
COPY package.json yarn.lock .yarnrc.yml ./
COPY apps/backend/package.json ./apps/backend/
COPY apps/storefront/package.json ./apps/storefront/
COPY packages/deep/types/package.json ./packages/deep/types/
COPY packages/shared/package.json ./packages/shared/
RUN --mount=type=cache,target=/yarn --mount=type=secret,id=yarnrc,target=/root/.yarnrc.yml \
    yarn workspaces focus @acme/backend --production \
    && find . -newermt @1 -exec touch --no-dereference --date=@0 {} +

# What it is built with, on top of them.
FROM production AS build
RUN --mount=type=cache,target=/yarn --mount=type=secret,id=yarnrc,target=/root/.yarnrc.yml \
    yarn workspaces focus @acme/backend
COPY . .
RUN cd packages/deep/types && npm run build --if-present
RUN cd packages/shared && npm run build --if-present
WORKDIR /image/server/apps/backend
# Takes up to 2 GB of memory, most of it for the admin. It needs no database.
RUN npx --no-install medusa build
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
COPY --from=build --chown=node:node /image/server/apps/backend/.medusa/server ./
ARG COMMIT
ENV COMMIT=$COMMIT
USER node
EXPOSE 9000
# No shell and no npm in between: SIGTERM reaches Medusa, which finishes the requests that it has.
CMD ["medusa", "start"]
