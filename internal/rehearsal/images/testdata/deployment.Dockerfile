# What Medusa's deployment guide has a host do (https://docs.medusajs.com/learn/deployment/general), as a Dockerfile: install,
# `medusa build`, install again in .medusa/server, start there. The base is the one of its Docker guide
# (https://docs.medusajs.com/learn/installation/docker), and so is the installation before the source is copied.
FROM node:20-alpine
WORKDIR /server
COPY package.json package-lock.json ./
RUN npm install --legacy-peer-deps
COPY . .
RUN npx medusa build
WORKDIR /server/.medusa/server
RUN npm install --legacy-peer-deps
EXPOSE 9000
CMD ["npm", "run", "start"]
