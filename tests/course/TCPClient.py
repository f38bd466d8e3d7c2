"""The course's TCP client. TCPClient.py SERVER PORT TEXT"""
import sys
from socket import *

serverName, serverPort, sentence = sys.argv[1], int(sys.argv[2]), sys.argv[3]
clientSocket = socket(AF_INET, SOCK_STREAM)
clientSocket.settimeout(5)
clientSocket.connect((serverName, serverPort))
clientSocket.send(sentence.encode())
modifiedSentence = clientSocket.recv(1024)
print('From Server:', modifiedSentence.decode())
clientSocket.close()
