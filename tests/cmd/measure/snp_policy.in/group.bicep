param ccePolicy string

resource group 'Microsoft.ContainerInstance/containerGroups@2023-05-01' = {
  name: 'node'
}
