# A Medusa app. What it is built with stays behind, and the layer with its dependencies is made from package.json and the
# lockfile alone: a change of the source neither installs nor uploads them again. docs/medusa.md explains each line.
FROM node:20-bookworm-slim AS base
# Not /app: that name gets in the way of what extends the admin, as Medusa's own Docker guide warns.
WORKDIR /image/server
ENV MEDUSA_DISABLE_TELEMETRY=true
ENV CI=true
RUN npm install --global pnpm@10

# The dependencies that the app runs with. A private registry's token comes as a secret, which no layer keeps.
FROM base AS production
COPY package.json pnpm-lock.yaml .npmrc ./
RUN --mount=type=cache,target=/pnpm --mount=type=secret,id=npmrc,target=/root/.npmrc \
    pnpm install --store-dir /pnpm --frozen-lockfile --prod \
    && find . -newermt @1 -exec touch --no-dereference --date=@0 {} +

# What it is built with, on top of them.
FROM production AS build
RUN --mount=type=cache,target=/pnpm --mount=type=secret,id=npmrc,target=/root/.npmrc \
    pnpm install --store-dir /pnpm --frozen-lockfile
COPY . .
# Takes up to 2 GB of memory, most of it for the admin. It needs no database.
RUN npx --no-install medusa build

# Of the dependencies, what a server reads: a third. All times are zero, so that the same dependencies are the same layer
# wherever they are installed.
FROM production AS pruned
RUN --mount=type=bind,source=Dockerfile.prune.mjs,target=/prune.mjs node /prune.mjs \
    && find /image -newermt @1 -exec touch --no-dereference --date=@0 {} +

# What `medusa build` has made is an app of its own, which runs where its files lie.
FROM node:20-bookworm-slim
# The files are the user's that runs them: `medusa db:migrate` makes a directory in every module that has no migrations.
COPY --from=pruned --chown=node:node /image /
WORKDIR /server
ENV NODE_ENV=production PORT=9000 MEDUSA_DISABLE_TELEMETRY=true XDG_CONFIG_HOME=/tmp PATH=/server/node_modules/.bin:$PATH
COPY --from=build --chown=node:node /image/server/.medusa/server ./
ARG COMMIT
ENV COMMIT=$COMMIT
USER node
EXPOSE 9000
# No shell and no npm in between: SIGTERM reaches Medusa, which finishes the requests that it has.
CMD ["medusa", "start"]
